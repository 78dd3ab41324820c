"""A feed behind HTTP: a zip, with a list of changes and single records beside it, as OSV exports them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import aiohttp
from aiohttp import hdrs
from yarl import URL

from pinfold.adapters.filesystem.errors import store_errors
from pinfold.adapters.osv.bounds import MAX_ARCHIVE, MAX_CHANGES_LIST, MAX_RECORD
from pinfold.adapters.osv.zip_records import ZipRecords
from pinfold.adapters.upstream.failures import require_identity, told
from pinfold.adapters.upstream.transport import READ_SIZE, Question, Transport
from pinfold.advisories.osv_record import is_id, read_time
from pinfold.domain.errors import FeedError, UpstreamError
from pinfold.ports.advisories import ChangeList, Progress, Whole

ZIP = "all.zip"
CHANGES = "modified_id.csv"
DOWNLOAD_SECONDS = 1800
"""The longest that the download of a whole feed may take."""
MAX_LINE = 1000
_IDENTITY: dict[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}


class RemoteFeed:
    """The zip at a URL, or `all.zip` in the folder at one. To be closed with `aclose`."""

    def __init__(self, name: str, transport: Transport, incoming: Path) -> None:
        self.name = name
        self._transport = transport
        self._incoming = incoming
        url = transport.base
        self._zip = url if url.name else url / ZIP

    @property
    def address(self) -> str:
        """The URL of the zip."""
        return str(self._zip)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    @asynccontextmanager
    async def whole(self, mark: str, progress: Progress) -> AsyncIterator[Whole | None]:
        """Download the zip, unless it is still what it was."""
        with store_errors(self._incoming):
            file = await asyncio.to_thread(_nameless, self._incoming)
        try:
            present = await self._download(mark, file, progress)
            if present is None:
                yield None
                return
            records = await asyncio.to_thread(ZipRecords, file)
            yield Whole(records, present, records.count)
        finally:
            await asyncio.to_thread(file.close)

    async def changes(self, mark: str, since: datetime) -> ChangeList | None:
        """Read the list of changes, newest first, as far as it tells of what is not older than the moment."""
        changed: dict[str, datetime] = {}
        last: datetime | None = None
        async with self._opened(self._zip.with_name(CHANGES), mark) as response:
            if response is None:
                return ChangeList({}, mark)
            if response.status != 200:
                return None
            async for line in _lines(response, self._asked(response)):
                record_id, modified = _read_line(line)
                if record_id is None or modified is None or (last is not None and modified > last):
                    return None
                if modified < since:
                    break
                last = modified
                changed.setdefault(record_id, modified)
            return ChangeList(changed, response.headers.get(hdrs.ETAG, ""))

    async def record(self, record_id: str) -> bytes | None:
        """Fetch a single record; None where it is not there."""
        url = self._zip.with_name(f"{record_id}.json")
        try:
            answer = await self._transport.fetch(Question(url, _IDENTITY, frozenset((200,))), limit=MAX_RECORD)
            require_identity(answer.headers, answer.asked)
        except UpstreamError as error:
            raise FeedError(str(error)) from error
        return None if answer.gone else answer.body

    async def _download(self, mark: str, file: BinaryIO, progress: Progress) -> str | None:
        """Write the zip to a file, and return its mark; None where it is what it was."""
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS), self._opened(self._zip, mark) as response:
                if response is None:
                    return None
                asked = self._asked(response)
                if response.status != 200:
                    raise FeedError(f"{asked}: answered {response.status}")
                size, done = response.content_length, 0
                while chunk := await _read(response, asked):
                    done += len(chunk)
                    if max(done, size or 0) > MAX_ARCHIVE:
                        raise FeedError(f"{asked}: larger than {MAX_ARCHIVE} bytes")
                    with store_errors(self._incoming):
                        await asyncio.to_thread(file.write, chunk)
                    progress("downloading", done, size)
                with store_errors(self._incoming):
                    await asyncio.to_thread(file.flush)
                return response.headers.get(hdrs.ETAG, "")
        except TimeoutError:
            raise FeedError(f"{self.address}: not here after {DOWNLOAD_SECONDS} s") from None

    @asynccontextmanager
    async def _opened(self, url: URL, mark: str) -> AsyncIterator[aiohttp.ClientResponse | None]:
        """Ask for something, conditionally where there is a mark; None where it is what it was."""
        headers = _IDENTITY | ({hdrs.IF_NONE_MATCH: mark} if mark else {})
        try:
            response = await self._transport.open(Question(url, headers, frozenset((200, 304) if mark else (200,))))
            try:
                require_identity(response.headers, self._asked(response))
                yield None if response.status == 304 else response
            finally:
                # What is not read is not waited for.
                response.close()
        except UpstreamError as error:
            raise FeedError(str(error)) from error

    def _asked(self, response: aiohttp.ClientResponse) -> str:
        return self._transport.asked(response.url)


def _nameless(folder: Path) -> BinaryIO:
    """Open a file that goes with the process, whatever becomes of it."""
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder))


async def _read(response: aiohttp.ClientResponse, asked: str) -> bytes:
    with told(asked):
        return await response.content.read(READ_SIZE)


async def _lines(response: aiohttp.ClientResponse, asked: str) -> AsyncIterator[bytes]:
    """Yield the lines of a list, a bounded number of bytes of it."""
    rest, done = b"", 0
    while chunk := await _read(response, asked):
        done += len(chunk)
        if done > MAX_CHANGES_LIST:
            raise FeedError(f"{asked}: larger than {MAX_CHANGES_LIST} bytes")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def _read_line(line: bytes) -> tuple[str | None, datetime | None]:
    """Return what a line of the list says: `<modified>,<id>`, where the id may stand behind a folder's name."""
    modified, _, place = line[:MAX_LINE].decode("ascii", "replace").strip().partition(",")
    record_id = place.rpartition("/")[2]
    return (record_id if is_id(record_id) else None), read_time(modified)
