"""Bytes of files from the blob store, or from their upstream on the way into it."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from pinfold.domain.errors import FileMismatch, NotFound, PinfoldError, StoreError, UpstreamError
from pinfold.domain.project import File
from pinfold.ports.blobs import Blobs, BlobWriter
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.upstream import Upstream
from pinfold.usecases.file_content import Fill, Stamp, Stored
from pinfold.usecases.lru import Lru
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

BLOBS_REMEMBERED = 50_000
"""Some 300 bytes each; whichever comes after more than that is checked once more."""
MAX_FILE_SIZE = 16 * 1024**3
"""An upstream that does not state a size may not fill the disk for ever."""
OPEN_AT_ONCE = 128
"""Files that are kept open between requests."""
LARGEST_NEXT = 8 << 20
"""Bytes of a file that is fetched, inspected or opened for somebody who has only read its metadata yet.

Of a larger one, clients get the first bytes before it is inspected.
"""
NEXT_WAITING = 200
"""Files that may wait for that; the others wait until they are asked for."""
LOOK_EVERY = 0.02
"""Seconds between two looks at what another process brings in."""


class FileFetcher:
    """Finds a file's bytes here, or begins to fetch them: once, however many ask."""

    def __init__(self, blobs: Blobs, telemetry: Telemetry) -> None:
        self._blobs = blobs
        self._telemetry = telemetry
        self._fills: dict[str, tuple[Fill, asyncio.Task[None]]] = {}
        self._intact: Lru[str, Stamp] = Lru(BLOBS_REMEMBERED)
        """The stamps of blobs that this process found to have their hash."""
        self._open: Lru[str, Stored] = Lru(OPEN_AT_ONCE)
        """Blobs that were found, and need not be looked for again while nobody touches them."""
        self._checks: SingleFlight[str, bool] = SingleFlight()
        self._next: SingleFlight[str, Stored | None] = SingleFlight()
        """What is opened ahead."""

    async def fetch(self, upstream: Upstream, file: File) -> Stored | Fill:
        """Return a file's verified bytes, or the fill that is bringing them."""
        if file.sha256 not in self._fills:
            stored = await self._find_intact(file.sha256)
            self._telemetry.looked_up("file", hit=stored is not None)
            if stored is not None:
                return stored
        under_way = self._fills.get(file.sha256)
        if under_way is None:
            fill = Fill()
            # The task belongs to nobody's request: a client that hangs up leaves the fill to the others.
            task = asyncio.create_task(self._run(fill, upstream, file))
            under_way = self._fills[file.sha256] = (fill, task)
            task.add_done_callback(lambda _: self._fills.pop(file.sha256, None))
        return under_way[0]

    async def stored(self, sha256: str) -> Stored | None:
        """Return a file's verified bytes where all of them are here; nothing is fetched."""
        found = await self._find_intact(sha256) if sha256 not in self._fills else None
        if found is not None:
            self._telemetry.looked_up("file", hit=True)
        return found

    def expect(self, file: File) -> None:
        """Begin to open a file for somebody who is about to ask for it, where it is here; nothing is fetched."""
        held = self._open.get(file.sha256)
        is_open, is_small = held is not None and held.is_untouched, file.size is not None and file.size <= LARGEST_NEXT
        if is_small and not is_open and len(self._next) < NEXT_WAITING:
            self._next.start(file.sha256, lambda: self._find_intact(file.sha256))

    async def fetch_whole(self, upstream: Upstream, file: File) -> Path:
        """Return where a file's verified bytes are, once all of them are here."""
        content = await self.fetch(upstream, file)
        await content.whole()
        return content.path

    async def close(self) -> None:
        """End the fills under way; their bytes are thrown away."""
        tasks = [task for _, task in self._fills.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._next.close()
        await self._checks.close()

    async def _find_intact(self, sha256: str) -> Stored | None:
        """Return a blob that has its hash, checked when this process first meets it and once somebody touched it."""
        found = self._open.get(sha256)
        while found is None or not found.is_untouched:
            found = await self._open_intact(sha256)
            if found is None:
                return None
        return found

    async def _open_intact(self, sha256: str) -> Stored | None:
        """Open a blob whose hash is checked, or is checked now: disks and backups do damage files."""
        path = await self._blobs.find(sha256)
        if path is None:
            return None
        try:
            found = await asyncio.to_thread(Stored, path)
            is_known = self._intact.get(sha256) == found.stamp
            if not is_known and not await self._checks.run(sha256, lambda: self._blobs.verify(sha256)):
                log.error("the stored bytes of sha256 %s are damaged; fetching them again", sha256)
                return None
        except (FileNotFoundError, NotFound):
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
        self._know(sha256, found)
        return found

    def _know(self, sha256: str, intact: Stored) -> None:
        self._intact.put(sha256, intact.stamp, weight=1)
        self._open.put(sha256, intact, weight=1)

    async def _run(self, fill: Fill, upstream: Upstream, file: File) -> None:
        try:
            await self._bring(fill, upstream, file)
        except PinfoldError as error:
            log.warning("fetching %s failed: %s", file.filename, error)
            fill.fail(error)
        except BaseException as error:
            fill.fail(UpstreamError(f"fetching {file.filename} was broken off: {type(error).__name__}"))
            raise

    async def _bring(self, fill: Fill, upstream: Upstream, file: File) -> None:
        """Fill from the upstream, or from what another process is bringing in."""
        while not fill.is_whole:
            async with self._blobs.claim(file.sha256) as writer:
                if writer is not None:
                    await self._copy(fill, writer, upstream, file)
            if writer is None:
                await self._follow(fill, file)
        # Its hash was computed on the way in; the next request need neither read it all again nor look for it. It was
        # just named, so that the kernel has all in memory that it takes to open it.
        with suppress(OSError):
            self._know(file.sha256, Stored(fill.path))

    async def _copy(self, fill: Fill, writer: BlobWriter, upstream: Upstream, file: File) -> None:
        most = file.size if file.size is not None else MAX_FILE_SIZE
        async with upstream.download(file) as download:
            if file.size is not None and download.length not in (None, file.size):
                raise FileMismatch(
                    f"{upstream.name} announces {download.length} bytes for {file.filename}; its page says {file.size}"
                )
            fill.begin(writer.path, file.size if download.length is None else download.length)
            arrived, last = 0, b""
            async for chunk in download.chunks:
                arrived += len(chunk)
                if arrived > most:
                    raise FileMismatch(
                        f"{upstream.name} sends more bytes for {file.filename} than its page says: {most}"
                    )
                if arrived == fill.length:
                    last = chunk
                else:
                    await writer.write(chunk)
                    fill.advance(len(chunk))
        # Nobody has to wait until it is durable: what the loss of power damages is told by its hash, and fetched again.
        path = await writer.settle(file.sha256, last)
        fill.advance(len(last))
        fill.finish(path)

    async def _follow(self, fill: Fill, file: File) -> None:
        """Fill from what another process is bringing in, if it does; where nothing of it came, nothing is done."""
        written = 0
        async with self._blobs.arrival(file.sha256) as arrival:
            if arrival is not None:
                fill.begin(arrival.path, file.size)
                while (size := await arrival.size()) is not None:
                    fill.advance(size - written)
                    written = size
                    await asyncio.sleep(LOOK_EVERY)
        path = await self._blobs.find(file.sha256)
        if path is not None:
            fill.advance(await asyncio.to_thread(_size, path) - written)
            fill.finish(path)
        elif written:
            raise UpstreamError(f"fetching {file.filename} was broken off in another process")


def _size(path: Path) -> int:
    return path.stat().st_size
