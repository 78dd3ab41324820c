"""What will most likely be asked for is inspected before it is, within a budget.

New releases of what is in use here; and wheels whose metadata somebody has just read, who needs the wheel next.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from pinfold.domain.errors import PinfoldError
from pinfold.domain.project import File
from pinfold.usecases.fetch_file import LARGEST_NEXT, NEXT_WAITING
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.previous_releases import later_files
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

PROJECTS = 200
"""Projects whose files may wait; the others wait for their next page."""
FILES = 3
"""Of a project, each time it is judged."""
LARGEST = 100 << 20
"""Bytes of a file; larger ones, and those whose size is not stated, are inspected when somebody asks for them."""
NEXT_AT_ONCE = 4
BYTES_PER_HOUR = 2 << 30


class InspectAhead:
    """Has files inspected that those who use a project will ask for: its newest ones, one at a time, and the next."""

    def __init__(self, inspect: Callable[[JudgedProject, File], Awaitable[None]]) -> None:
        self._inspect = inspect
        self._flights: SingleFlight[str, None] = SingleFlight()
        self._turn = asyncio.Semaphore(1)
        self._next: SingleFlight[str, None] = SingleFlight()
        self._next_turn = asyncio.Semaphore(NEXT_AT_ONCE)
        self._since = monotonic()
        self._spent = 0

    def begin(self, project: JudgedProject, files: list[File]) -> None:
        """Begin with files of a project that was judged anew."""
        if files and len(self._flights) < PROJECTS:
            self._flights.start(project.name, lambda: self._run(project, files, self._turn))

    def expect(self, project: JudgedProject, file: File) -> None:
        """Begin with a file that somebody is about to ask for."""
        if file.size is not None and file.size <= LARGEST_NEXT and len(self._next) < NEXT_WAITING:
            self._next.start(file.sha256, lambda: self._run(project, [file], self._next_turn))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()
        await self._next.close()

    async def _run(self, project: JudgedProject, files: list[File], turn: asyncio.Semaphore) -> None:
        for file in files:
            async with turn:
                if not self._affords(file):
                    continue
                try:
                    await self._inspect(project, file)
                except PinfoldError as error:
                    log.warning("%s is not inspected ahead: %s", file.filename, error)

    def _affords(self, file: File) -> bool:
        if monotonic() - self._since >= 3600:
            self._since, self._spent = monotonic(), 0
        if file.size is None or file.size > LARGEST or self._spent + file.size > BYTES_PER_HOUR:
            return False
        self._spent += file.size
        return True


def likely_next(project: JudgedProject) -> list[File]:
    """Return which files of later releases those who use a project will ask for, as far as they were not inspected.

    Nobody uses one of which no file was inspected. Too long for the event loop where there are many files.
    """
    if project.inspections is None or not project.inspections.contents.inspected:
        return []
    contents = project.inspections.contents
    positions = (project.laid_out.named(filename) for filename, _ in contents.inspected)
    used = [project.laid_out.files[position] for position in positions if position is not None]
    later = later_files(project.found.listing.project.files, used)
    return [file for file in later[:FILES] if contents.of(file) is None]
