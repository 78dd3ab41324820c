"""A feed on this machine's disk: a zip, or a folder of records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pinfold.adapters.osv.folder import find_records, mark_of, read_files
from pinfold.adapters.osv.zip_records import ZipRecords
from pinfold.domain.errors import FeedError
from pinfold.ports.advisories import ChangeList, Progress, Whole


class LocalFeed:
    """What an air-gapped site mirrors; always read whole, and only when it is another than before."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    @property
    def address(self) -> str:
        """The path."""
        return str(self._path)

    @asynccontextmanager
    async def whole(self, mark: str, progress: Progress) -> AsyncIterator[Whole | None]:  # noqa: ARG002 - at hand
        """Open the zip, or list the folder."""
        if await asyncio.to_thread(self._path.is_dir):
            paths = await asyncio.to_thread(find_records, self._path)
            present = await asyncio.to_thread(mark_of, paths)
            yield None if present == mark else Whole(read_files(paths), present, len(paths))
            return
        if not await asyncio.to_thread(self._path.is_file):
            raise FeedError(f"there is no zip and no folder {self._path}")
        present = await asyncio.to_thread(mark_of, [self._path])
        if present == mark:
            yield None
            return
        with await asyncio.to_thread(_open, self._path) as file:
            records = await asyncio.to_thread(ZipRecords, file)
            yield Whole(records, present, records.count)

    async def changes(self, mark: str, since: datetime) -> ChangeList | None:  # noqa: ARG002 - files have no list
        """Return None: the files themselves tell whether they changed."""
        return None

    async def record(self, record_id: str) -> bytes | None:  # noqa: ARG002
        """Return None: nothing is asked for by itself."""
        return None


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise FeedError(f"{path} cannot be read: {error.strerror}") from error
