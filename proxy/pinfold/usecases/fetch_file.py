"""Bytes of files from the blob store, or from their upstream on the way into it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

from pinfold.domain.errors import FileMismatch, NotFound, PinfoldError, UpstreamError
from pinfold.domain.project import File
from pinfold.ports.blobs import Blobs
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.upstream import Upstream
from pinfold.usecases.lru import Lru
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

HELD_BACK = 64 * 1024
"""How many of the last bytes wait for the hash: without a wheel's end, which holds its directory, nothing installs."""
CHUNK = 256 * 1024
BLOBS_REMEMBERED = 200_000
MAX_FILE_SIZE = 16 * 1024**3
"""An upstream that does not state a size may not fill the disk for ever."""


class Fill:
    """One file on its way from its upstream into the blob store, followed by any number of readers.

    Readers see only what may be shown: all but the last block until the whole file has its promised hash.
    """

    def __init__(self) -> None:
        self.length: int | None = None
        self._path: Path | None = None
        self._written = 0
        self._error: PinfoldError | None = None
        self._finished = False
        self._progress = asyncio.Event()

    async def started(self) -> int | None:
        """Wait for the first bytes; return the length, where the upstream states it, or raise what went wrong."""
        while self._path is None or not (self._shown or self._finished):
            await self._wait()
        return self._written if self._finished else self.length

    async def whole(self) -> int:
        """Wait for the end and return the file's length; raise what went wrong."""
        while not self._finished:
            await self._wait()
        return self._written

    async def read(self, first: int, last: int | None) -> AsyncIterator[bytes]:
        """Yield the bytes from `first` to `last`, included, as they may be shown; raise what goes wrong meanwhile."""
        await self.started()
        descriptor = await asyncio.to_thread(self._open)
        try:
            position = first
            while last is None or position <= last:
                end = self._shown if last is None else min(self._shown, last + 1)
                if position < end:
                    size = min(CHUNK, end - position)
                    chunk = await asyncio.to_thread(os.pread, descriptor, size, position)
                    if not chunk:
                        raise UpstreamError("a file that is being fetched was cut short on disk")
                    yield chunk
                    position += len(chunk)
                elif self._finished:
                    return
                else:
                    await self._wait()
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        while True:
            path = self._path
            assert path is not None  # noqa: S101 - read() waited for it
            try:
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                if path == self._path:
                    raise
                # The fill ended meanwhile, and the bytes have their final name.

    def begin(self, path: Path, length: int | None) -> None:
        """Say where the bytes are gathered and how many will come."""
        self._path, self.length = path, length
        self._announce()

    def advance(self, count: int) -> None:
        """Say that more bytes are written."""
        self._written += count
        self._announce()

    def finish(self, path: Path) -> None:
        """Say that the file is whole, has its hash, and where it is for good."""
        self._path, self._finished = path, True
        self._announce()

    def fail(self, error: PinfoldError) -> None:
        """Say what went wrong; readers raise it."""
        self._error = error
        self._announce()

    @property
    def _shown(self) -> int:
        return self._written if self._finished else max(self._written - HELD_BACK, 0)

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        await self._progress.wait()

    def _announce(self) -> None:
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()


class FileFetcher:
    """Finds a file's bytes here, or begins to fetch them: once, however many ask."""

    def __init__(self, blobs: Blobs, telemetry: Telemetry) -> None:
        self._blobs = blobs
        self._telemetry = telemetry
        self._fills: dict[str, tuple[Fill, asyncio.Task[None]]] = {}
        self._intact: Lru[str, bool] = Lru(BLOBS_REMEMBERED)
        self._checks: SingleFlight[str, bool] = SingleFlight()

    async def fetch(self, upstream: Upstream, file: File) -> Path | Fill:
        """Return where a file's verified bytes are, or the fill that is bringing them."""
        if file.sha256 not in self._fills:
            path = await self._find_intact(file.sha256)
            self._telemetry.looked_up("file", hit=path is not None)
            if path is not None:
                return path
        under_way = self._fills.get(file.sha256)
        if under_way is None:
            fill = Fill()
            # The task belongs to nobody's request: a client that hangs up leaves the fill to the others.
            task = asyncio.create_task(self._run(fill, upstream, file))
            under_way = self._fills[file.sha256] = (fill, task)
            task.add_done_callback(lambda _: self._fills.pop(file.sha256, None))
        return under_way[0]

    async def fetch_whole(self, upstream: Upstream, file: File) -> Path:
        """Return where a file's verified bytes are, once all of them are here."""
        found = await self.fetch(upstream, file)
        if isinstance(found, Path):
            return found
        await found.whole()
        path = await self._blobs.find(file.sha256)
        if path is None:
            raise UpstreamError(f"{file.filename} vanished from the blob store as soon as it was stored")
        return path

    async def close(self) -> None:
        """End the fills under way; their bytes are thrown away."""
        tasks = [task for _, task in self._fills.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._checks.close()

    async def _find_intact(self, sha256: str) -> Path | None:
        """Find a blob, and check its hash when this process first meets it: disks and backups do damage files."""
        path = await self._blobs.find(sha256)
        if path is None or self._intact.get(sha256):
            return path
        try:
            intact = await self._checks.run(sha256, lambda: self._blobs.verify(sha256))
        except NotFound:
            return None
        if not intact:
            log.error("the stored bytes of sha256 %s are damaged; fetching them again", sha256)
            return None
        self._intact.put(sha256, value=True, weight=1)
        return path

    async def _run(self, fill: Fill, upstream: Upstream, file: File) -> None:
        try:
            await self._copy(fill, upstream, file)
        except PinfoldError as error:
            log.warning("fetching %s failed: %s", file.filename, error)
            fill.fail(error)
        except BaseException as error:
            fill.fail(UpstreamError(f"fetching {file.filename} was broken off: {type(error).__name__}"))
            raise

    async def _copy(self, fill: Fill, upstream: Upstream, file: File) -> None:
        most = file.size if file.size is not None else MAX_FILE_SIZE
        async with self._blobs.writer() as writer, upstream.download(file) as download:
            if file.size is not None and download.length not in (None, file.size):
                raise FileMismatch(
                    f"{upstream.name} announces {download.length} bytes for {file.filename}; its page says {file.size}"
                )
            fill.begin(writer.path, file.size if download.length is None else download.length)
            written = 0
            async for chunk in download.chunks:
                written += len(chunk)
                if written > most:
                    raise FileMismatch(
                        f"{upstream.name} sends more bytes for {file.filename} than its page says: {most}"
                    )
                await writer.write(chunk)
                fill.advance(len(chunk))
            fill.finish(await writer.commit(file.sha256))
