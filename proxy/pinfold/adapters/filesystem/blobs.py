"""The bytes of files in a folder, by their sha256."""

import asyncio
import hashlib
import logging
import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pinfold.adapters.filesystem.durable import sync_files
from pinfold.adapters.filesystem.errors import store_errors
from pinfold.adapters.filesystem.incoming_file import FollowedFile, IncomingFile, sweep
from pinfold.adapters.threads import Threads
from pinfold.domain.errors import FileMismatch, NotFound

T = TypeVar("T")

log = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_THREADS = 8
_SYNC_SECONDS = 2.0
"""After so many, what was settled is made durable, all of it together."""


class FileBlobs:
    """Blobs at `<folder>/sha256/<hash>`, which come in through a folder on the same file system.

    A text that is no hash names no blob. Any number of processes may work on the two folders.
    """

    def __init__(self, folder: Path, incoming: Path) -> None:
        self._folder = folder / "sha256"
        self._incoming = incoming
        # Not the event loop's own threads: slow name resolution there must not hold up files.
        self._threads = Threads(_THREADS, "blobs")
        self._unsynced: set[Path] = set()
        self._sync_due: asyncio.TimerHandle | None = None

    async def find(self, sha256: str) -> Path | None:
        """Return where a blob's bytes are, or None where they are not kept."""
        return await _in_thread(self._threads, self._folder, lambda: self._find(sha256))

    async def among(self, hashes: set[str]) -> set[str]:
        """Return which of the hashes are kept."""
        return await _in_thread(
            self._threads, self._folder, lambda: {sha256 for sha256 in hashes if self._find(sha256)}
        )

    async def keep(self, content: bytes, sha256: str) -> None:
        """Keep bytes as a blob, durably; raises FileMismatch where they have another hash."""
        await _in_thread(self._threads, self._incoming, lambda: self._keep(content, _checked(sha256)))

    @asynccontextmanager
    async def writer(self) -> AsyncIterator["FileBlobWriter"]:
        """Begin a blob; leaving the context before it is found by its hash throws its bytes away."""
        file = IncomingFile(self._incoming)
        try:
            await _in_thread(self._threads, self._incoming, file.open)
            yield FileBlobWriter(self, file, self._threads)
        finally:
            await self._discard(file)

    @asynccontextmanager
    async def claim(self, sha256: str) -> AsyncIterator["FileBlobWriter | None"]:
        """Begin a blob by its hash as `writer` does, or return None where others have begun it, or brought it in."""
        file = IncomingFile(self._incoming, _checked(sha256))
        try:
            # Looked for once more, now that nobody else can bring it.
            ours = await _in_thread(self._threads, self._incoming, lambda: file.open() and not self._find(sha256))
            yield FileBlobWriter(self, file, self._threads) if ours else None
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
        if self._sync_due is not None:
            self._sync_due.cancel()
            self._sync()
        await asyncio.to_thread(self._threads.close)

    def place(self, sha256: str) -> Path:
        """Return where the blob of a hash is, if it is kept."""
        return self._folder / sha256

    def sync_soon(self, path: Path) -> None:
        """Have a blob made durable in a while, with all others that come until then."""
        self._unsynced.add(path)
        if self._sync_due is None:
            self._sync_due = asyncio.get_running_loop().call_later(_SYNC_SECONDS, self._sync)

    def _sync(self) -> None:
        paths, self._unsynced, self._sync_due = self._unsynced, set(), None
        self._threads.begin(lambda: _sync(paths, self._folder.parent))

    def _keep(self, content: bytes, sha256: str) -> None:
        file = IncomingFile(self._incoming)
        try:
            file.open()
            file.write(content)
            file.commit(sha256, self.place(sha256))
        finally:
            file.discard()

    async def _discard(self, file: IncomingFile) -> None:
        if not file.has_ended:
            await _in_thread(self._threads, self._incoming, file.discard)

    def _find(self, sha256: str) -> Path | None:
        if not _SHA256.fullmatch(sha256):
            return None
        path = self.place(sha256)
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

    def __init__(self, blobs: FileBlobs, file: IncomingFile, threads: Threads) -> None:
        self._blobs = blobs
        self._file = file
        self._threads = threads

    @property
    def path(self) -> Path:
        """Where the bytes are; a reader that opened them follows them wherever that is."""
        return self._file.path

    async def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        await _in_thread(self._threads, self.path, lambda: self._file.write(chunk))

    async def settle(self, sha256: str, last: bytes = b"") -> Path:
        """End the blob, after its last bytes, and let it be found by its hash, atomically.

        Raises FileMismatch where it has another one. Until it is durable as well, soon after, the loss of power may
        damage it, as `verify` would tell.
        """
        target = self._blobs.place(sha256)
        await _in_thread(self._threads, self.path, lambda: self._file.settle(sha256, target, last))
        self._blobs.sync_soon(target)
        return target

    async def commit(self, sha256: str) -> Path:
        """End the blob and let it be found by its hash, atomically and durably; raises what `settle` raises."""
        target = self._blobs.place(sha256)
        await _in_thread(self._threads, self.path, lambda: self._file.commit(sha256, target))
        return target


class FileArrival:
    """A blob that somebody brings into the folder."""

    def __init__(self, file: FollowedFile, threads: Threads) -> None:
        self._file = file
        self._threads = threads

    @property
    def path(self) -> Path:
        """Where the bytes are until the arrival has ended; a reader that opened them follows them to the end."""
        return self._file.path

    async def size(self) -> int | None:
        """Return how many bytes are here, or None once the arrival has ended."""
        return await _in_thread(self._threads, self.path, self._file.size)


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise FileMismatch(f"{sha256!r} is no sha256, and no file has it")
    return sha256


def _sync(paths: set[Path], below: Path) -> None:
    try:
        sync_files(paths, below)
    except OSError as error:
        log.warning("what was fetched is kept, but the loss of power may damage it: %s", error)


async def _in_thread(threads: Threads, path: Path, work: Callable[[], T]) -> T:
    with store_errors(path):
        return await threads.run(work)
