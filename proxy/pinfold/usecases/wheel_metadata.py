"""PEP 658 metadata of every wheel: as the upstream has it, or read out of the wheel itself."""

import asyncio
import hashlib
import io
import logging
import lzma
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from pinfold.domain.errors import InvalidName, NotFound, StoreError, UpstreamError
from pinfold.domain.names import FileKind, canonical_version, normalise
from pinfold.domain.project import File
from pinfold.ports.catalog import Catalog
from pinfold.ports.upstream import Upstream
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.lru import Lru
from pinfold.usecases.present import Present
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

MAX_METADATA = 8 * 1024 * 1024
"""Bytes of it, whether an upstream has it or a wheel; it is kept in the catalog, and hashed on the event loop."""
MAX_DIRECTORY = 32 * 1024 * 1024
WHEELS_IN_MEMORY = 30_000
BYTES_IN_MEMORY = 16 * 1024 * 1024
"""The budget for metadata that was served."""
_BLOCK = 64 * 1024
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, RuntimeError, ArithmeticError, LookupError),
)
"""What zipfile makes of damaged archives."""


class WheelMetadata:
    """Finds the metadata of wheels, keeps it, and knows what may be advertised of it."""

    def __init__(self, catalog: Catalog, fetcher: FileFetcher, present: Present) -> None:
        self._catalog = catalog
        self._present = present
        self._fetcher = fetcher
        self._known: Lru[str, dict[str, str | None]] = Lru(WHEELS_IN_MEMORY)
        self._contents: Lru[str, bytes] = Lru(BYTES_IN_MEMORY)
        """By digest."""
        self._flights: SingleFlight[tuple[str, str | bool], bytes] = SingleFlight()
        self._stores: SingleFlight[tuple[str, str], None] = SingleFlight()
        """What is being kept while clients have it already."""
        # Reading by ranges waits for the network inside a thread; the common pool must not run dry over it.
        self._readers = ThreadPoolExecutor(8, thread_name_prefix="wheel-metadata")

    async def known(self, project: str) -> dict[str, str | None]:
        """Return, by wheel hash, the metadata digests that were found out here; None for a wheel that has none.

        The mapping is never changed, only replaced: the same object means the same knowledge.
        """
        known = self._known.get(project)
        if known is None:
            loaded = await self._catalog.metadata_digests(project)
            # Meanwhile others may have loaded the same, or found out more.
            known = self._known.get(project)
            if known is None:
                known = loaded
                self._keep(project, known)
        return known

    async def get(self, upstream: Upstream, project: str, file: File) -> bytes:
        """Return a wheel's metadata.

        Raises NotFound for what carries none, and UpstreamError where it cannot be had now.
        """
        if file.kind is not FileKind.WHEEL:
            raise NotFound(f"{file.filename} is no wheel: only wheels have metadata of their own")
        digest = (self._known.get(project) or {}).get(file.sha256)
        if digest is not None and is_promised(file, digest) and (content := self._contents.get(digest)) is not None:
            return content
        return await self._flights.run((file.sha256, file.core_metadata), lambda: self._find(upstream, project, file))

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()
        await self._stores.close()
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _find(self, upstream: Upstream, project: str, file: File) -> bytes:
        known = await self.known(project)
        if file.sha256 in known and is_promised(file, known[file.sha256]):
            digest = known[file.sha256]
            if digest is None:
                raise NotFound(f"{file.filename} carries no metadata")
            if (kept := await self._catalog.metadata(digest)) is not None:
                self._contents.put(digest, kept, len(kept))
                return kept
        content = await upstream.metadata(file) if file.core_metadata else None
        if content is None:
            content = await self._read_out(upstream, project, file)
            if content is not None and not is_promised(file, hashlib.sha256(content).hexdigest()):
                content = None
        digest = hashlib.sha256(content).hexdigest() if content is not None else None
        # Others may have found out more meanwhile.
        self._keep(project, {**(self._known.get(project) or known), file.sha256: digest})
        # Here alone: what was forgotten, and is read from the catalog again, is nothing new.
        self._present.change()
        if content is not None and digest is not None:
            self._contents.put(digest, content, len(content))
        self._stores.start((project, file.sha256), lambda: self._store(project, file, content))
        if content is None:
            raise NotFound(f"{file.filename} carries no metadata")
        return content

    async def _read_out(self, upstream: Upstream, project: str, file: File) -> bytes | None:
        """Read the metadata out of the wheel: here if it is here, else by ranges, else after fetching it whole."""
        stored = await self._fetcher.stored(file.sha256)
        if stored is None:
            try:
                remote = _RemoteFile(upstream, file)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._readers, _extract, remote, project, file)
            except UpstreamError as error:
                log.info("reading %s by ranges failed, fetching it whole: %s", file.filename, error)
        # Of damaged bytes it would be remembered for good what is not in them.
        path = stored.path if stored is not None else await self._fetcher.fetch_whole(upstream, file)
        return await asyncio.to_thread(_extract_from, path, project, file)

    async def _store(self, project: str, file: File, content: bytes | None) -> None:
        """Keep what was found out, for later and for other processes; it can always be found out again."""
        try:
            await self._catalog.remember_metadata(project, file.sha256, content)
        except StoreError as error:
            log.warning("the metadata of %s is not kept: %s", file.filename, error)

    def _keep(self, project: str, known: dict[str, str | None]) -> None:
        self._known.put(project, known, 1 + len(known))


def is_promised(file: File, digest: str | None) -> bool:
    """Tell whether metadata that was found out of a wheel, by its digest or that there is none, holds for a file.

    What another upstream says of the same bytes does not count against the hash that the file's own one states.
    """
    return digest is None or not isinstance(file.core_metadata, str) or digest == file.core_metadata


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def seekable(self) -> bool: ...


def _extract_from(path: Path, project: str, file: File) -> bytes | None:
    with path.open("rb") as wheel:
        return _extract(wheel, project, file)


def _extract(wheel: "_Readable", project: str, file: File) -> bytes | None:
    """Return the METADATA of the one dist-info that the file name implies; None where a wheel has none to offer."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if _is_metadata(info.filename, project, file.version)]
            if len(found) != 1 or found[0].file_size > MAX_METADATA:
                return None
            with archive.open(found[0]) as member:
                content = member.read(MAX_METADATA + 1)
            return content if len(content) <= MAX_METADATA else None
    except _UNREADABLE as error:
        log.warning("%s: no metadata can be read: %s", file.filename, error)
        return None


def _is_metadata(name: str, project: str, version: str | None) -> bool:
    folder, separator, rest = name.partition("/")
    if not separator or rest != "METADATA" or not folder.endswith(".dist-info"):
        return False
    stem, _, said = folder.removesuffix(".dist-info").partition("-")
    try:
        return normalise(stem) == project and canonical_version(said) == version
    except InvalidName:
        return False


class _RemoteFile:
    """A wheel at its upstream, read by ranges from a worker thread, as far as zipfile asks for it."""

    def __init__(self, upstream: Upstream, file: File) -> None:
        self._loop = asyncio.get_running_loop()
        self._upstream = upstream
        self._file = file
        self._size: int | None = None
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._fetched = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        position = (self._length() if base is None else base) + offset
        if position < 0:
            raise OSError("no file has bytes before its first")
        self._position = position
        return position

    def read(self, size: int = -1) -> bytes:
        end = self._length() if size < 0 else min(self._position + size, self._length())
        parts = []
        while self._position < end:
            number, offset = divmod(self._position, _BLOCK)
            part = self._block(number)[offset : offset + end - self._position]
            if not part:
                raise UpstreamError(f"{self._file.filename} is shorter than its upstream said")
            parts.append(part)
            self._position += len(part)
        return b"".join(parts)

    def _length(self) -> int:
        if self._size is None:
            tail, self._size = self._range(-_BLOCK, -1)
            start = self._size - len(tail)
            first_whole = -(-start // _BLOCK)
            for number in range(first_whole, -(-self._size // _BLOCK)):
                at = number * _BLOCK - start
                self._blocks[number] = tail[at : at + _BLOCK]
        return self._size

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            first = number * _BLOCK
            self._blocks[number], size = self._range(first, min(first + _BLOCK, self._length()) - 1)
            if size != self._size:
                raise UpstreamError(f"{self._file.filename} changed its length between two ranges")
        return self._blocks[number]

    def _range(self, first: int, last: int) -> tuple[bytes, int]:
        work = self._upstream.read_range(self._file, first, last)
        content, size = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        self._fetched += len(content)
        if self._fetched > MAX_DIRECTORY:
            raise UpstreamError(f"{self._file.filename} has a directory too large to read by ranges")
        return content, size
