"""The bytes of files in a folder, by their sha256."""

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pinfold.adapters.filesystem.errors import store_errors
from pinfold.adapters.filesystem.incoming_file import FollowedFile, IncomingFile, sweep
from pinfold.domain.errors import FileMismatch, NotFound, StoreError

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_THREADS = 8


class FileBlobs:
    """Blobs at `<folder>/sha256/ab/cd/<hash>`, which come in through a folder on the same file system.

    A text that is no hash names no blob. Any number of processes may work on the two folders.
    """

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder / "sha256"
        self._incoming = incoming
        # Not the event loop's own threads: slow name resolution there must not hold up files.
        self._threads = ThreadPoolExecutor(_THREADS, "blobs")

    async def find(self, sha256: str) -> Path | None:
        """Return where a blob's bytes are, or None where they are not kept."""
        return await _in_thread(self._threads, self._folder, lambda: self._find(sha256))

    async def among(self, hashes: set[str]) -> set[str]:
        """Return which of the hashes are kept."""
        return await _in_thread(
            self._threads, self._folder, lambda: {sha256 for sha256 in hashes if self._find(sha256)}
        )

    @asynccontextmanager
    async def writer(self) -> AsyncIterator["FileBlobWriter"]:
        """Begin a blob; leaving the context before it is found by its hash throws its bytes away."""
        file = IncomingFile(self._incoming)
        try:
            await _in_thread(self._threads, self._incoming, file.open)
            yield FileBlobWriter(file, self._place, self._threads)
        finally:
            await self._discard(file)

    @asynccontextmanager
    async def claim(self, sha256: str) -> AsyncIterator["FileBlobWriter | None"]:
        """Begin a blob by its hash as `writer` does, or return None where it has been begun and not ended yet."""
        file = IncomingFile(self._incoming, _checked(sha256))
        try:
            ours = await _in_thread(self._threads, self._incoming, file.open)
            yield FileBlobWriter(file, self._place, self._threads) if ours else None
        finally:
            await self._discard(file)

    @asynccontextmanager
    async def arrival(self, sha256: str) -> AsyncIterator["FileArrival | None"]:
        """Follow a blob that somebody claimed, or return None where nobody has, or no longer."""
        path = self._incoming / _checked(sha256)
        followed = await _in_thread(self._threads, path, lambda: FollowedFile.open(path))
        if followed is None:
            yield None
            return
        try:
            yield FileArrival(followed, self._threads)
        finally:
            followed.close()

    async def verify(self, sha256: str) -> bool:
        """Read a blob and tell whether it still has its hash; where it has not, it is set aside as `<hash>.damaged`.

        What was published here exists nowhere else: of damaged bytes, too, something may be saved. Raises NotFound
        where the blob is not kept.
        """
        return await _in_thread(self._threads, self._folder, lambda: self._verify(sha256))

    async def sweep(self) -> None:
        """Remove what processes that died left half-written; those that live keep theirs locked."""
        await _in_thread(self._threads, self._incoming, lambda: sweep(self._incoming))

    async def close(self) -> None:
        """Finish what was begun, and refuse what comes later."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _discard(self, file: IncomingFile) -> None:
        # Shielded: what is cancelled while it waits for a thread would never run.
        await asyncio.shield(_in_thread(self._threads, self._incoming, file.discard))

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def _find(self, sha256: str) -> Path | None:
        if not _SHA256.fullmatch(sha256):
            return None
        path = self._place(sha256)
        try:
            return path if stat.S_ISREG(path.lstat().st_mode) else None
        except FileNotFoundError:
            return None

    def _verify(self, sha256: str) -> bool:
        path = self._find(sha256)
        if path is None:
            raise NotFound(f"no file with sha256 {sha256} is kept")
        with path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == sha256
            if not intact:
                with suppress(FileNotFoundError):
                    # Reading takes a while, in which somebody may have brought good bytes.
                    if os.path.samestat(path.lstat(), os.fstat(file.fileno())):
                        path.rename(path.with_name(f"{sha256}.damaged"))
        return intact


class FileBlobWriter:
    """A blob on its way into a folder."""

    def __init__(self, file: IncomingFile, place: Callable[[str], Path], threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._place = place
        self._threads = threads

    @property
    def path(self) -> Path:
        """Where the bytes are until the writer's context is left, for readers that open them once and follow."""
        return self._file.path

    async def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        await _in_thread(self._threads, self.path, lambda: self._file.write(chunk))

    async def settle(self, sha256: str) -> Path:
        """Let the blob be found by its hash, atomically; raises FileMismatch where the bytes have another one.

        Until it is committed as well, the loss of power may damage it, as `verify` would tell.
        """
        target = self._place(sha256)
        await _in_thread(self._threads, self.path, lambda: self._file.settle(sha256, target))
        return target

    async def commit(self, sha256: str) -> Path:
        """Make the blob durable under its hash, atomically; raises FileMismatch where the bytes have another hash."""
        target = self._place(sha256)
        await _in_thread(self._threads, self.path, lambda: self._file.commit(sha256, target))
        return target


class FileArrival:
    """A blob that somebody brings into the folder."""

    def __init__(self, file: FollowedFile, threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._threads = threads

    @property
    def path(self) -> Path:
        """Where the bytes are until the arrival has ended, for readers that open them once and follow."""
        return self._file.path

    async def size(self) -> int | None:
        """Return how many bytes are here, or None once the arrival has ended."""
        return await _in_thread(self._threads, self.path, self._file.size)


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise FileMismatch(f"{sha256!r} is no sha256, and no file has it")
    return sha256


async def _in_thread(threads: ThreadPoolExecutor, path: Path, work: Callable[[], T]) -> T:
    with store_errors(path):
        try:
            future = threads.submit(work)
        except RuntimeError as error:
            raise StoreError(f"{path} takes no more work: {error}") from error
        return await asyncio.wrap_future(future)
