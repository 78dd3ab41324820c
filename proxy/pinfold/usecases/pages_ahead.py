"""The projects that a wheel needs are looked up while whoever read its metadata goes on resolving."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial

from pinfold.domain.errors import InvalidName, PinfoldError
from pinfold.domain.names import normalise
from pinfold.usecases.indexes import Index
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

AT_ONCE = 4
WAITING = 200
"""Pages that may wait; the others wait until they are asked for."""
NEEDS = 20
"""Of one wheel; few have more, and whoever writes thousands into a wheel does not mean well."""

LOOKED_THROUGH = 64 * 1024
"""Bytes of metadata; before its description, few have more."""

# What holds in every environment: with a marker, or where an address is given, the page may never be asked for. Nothing
# is given back that was matched: strangers write these lines, of any length.
_NEEDED = re.compile(rb"^Requires-Dist:[ \t]*+([A-Za-z0-9._-]++)[^;@\r\n]*+\r?$", re.MULTILINE | re.IGNORECASE)
_BODY = re.compile(rb"\r?\n\r?\n")


class PagesAhead:
    """Has projects looked up whose pages somebody is about to ask for, a few at a time."""

    def __init__(self, look_up: Callable[[Index, str], Awaitable[object]]) -> None:
        self._look_up = look_up
        self._flights: SingleFlight[tuple[str, str], None] = SingleFlight()
        self._turn = asyncio.Semaphore(AT_ONCE)

    def expect(self, index: Index, metadata: bytes) -> None:
        """Begin with what the wheel of some metadata needs."""
        for name in needed(metadata):
            if len(self._flights) < WAITING:
                self._flights.start((index.name, name), partial(self._run, index, name))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _run(self, index: Index, name: str) -> None:
        async with self._turn:
            try:
                await self._look_up(index, name)
            except PinfoldError as error:
                log.warning("the page of %s is not had ahead: %s", name, error)


def needed(metadata: bytes) -> list[str]:
    """Return the projects, normalised, that a wheel needs wherever it is installed; of its METADATA the first NEEDS."""
    names: dict[str, None] = {}
    for found in _NEEDED.finditer(_BODY.split(metadata[:LOOKED_THROUGH], 1)[0]):
        try:
            names[normalise(found[1].decode())] = None
        except InvalidName:
            continue
        if len(names) == NEEDS:
            break
    return list(names)
