"""A file on its way into the blob store, seen by who writes it and by who follows."""

import fcntl
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Lock

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.domain.errors import FileMismatch


class IncomingFile:
    """Bytes under a temporary name; its methods block, and each is whole.

    A request that is cancelled leaves its last step running in a thread, so that `discard` may come during another
    step, or before it: the lock orders them, and a step that comes too late fails.

    A file with a name of its own is written by one process at a time.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self.path = folder if name is None else folder / name
        """Where the bytes are: under a temporary name, and then under their hash."""
        self._folder = folder
        self._name = name
        self._descriptor = -1
        self._ended = False
        self._hash = hashlib.sha256()
        self._lock = Lock()

    def open(self) -> bool:
        """Create the file, locked for as long as it is open: whoever finds it unlocked knows that its process died.

        Returns False where somebody writes a file of this name.
        """
        with self._lock:
            while self._descriptor < 0 and not self._ended:
                if not self._create() and self._name is not None:
                    return False
        return True

    def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        with self._lock:
            self._append(chunk)

    def settle(self, sha256: str, target: Path, last: bytes = b"") -> None:
        """Append the last bytes, and give all their name for good; raises FileMismatch where they have another hash."""
        with self._lock:
            self._append(last)
            self._check(sha256)
            _make_folder(target.parent)
            self._rename(target)

    def commit(self, sha256: str, target: Path) -> None:
        """Give the bytes their name for good, durably; raises what `settle` raises."""
        with self._lock:
            self._check(sha256)
            os.fsync(self._descriptor)
            unsynced = [*_make_folder(target.parent), target.parent]
            self._rename(target)
            for folder in unsynced:
                sync_folder(folder)

    @property
    def has_ended(self) -> bool:
        """Whether it has its name for good, or was discarded."""
        return self._ended

    def discard(self) -> None:
        """Remove the file, unless it has its name for good."""
        with self._lock:
            self._ended = True
            if self._descriptor >= 0:
                self.path.unlink(missing_ok=True)
                self._close()

    def _append(self, chunk: bytes) -> None:
        # Hashed first: bytes that are written by half and then again must not pass for the file.
        self._hash.update(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _check(self, sha256: str) -> None:
        if (found := self._hash.hexdigest()) != sha256:
            raise FileMismatch(f"expected a file with sha256 {sha256}, received one with {found}")
        os.fchmod(self._descriptor, 0o444)

    def _rename(self, target: Path) -> None:
        # Whatever is there is replaced at once by these bytes, which were just verified.
        self.path.rename(target)
        self.path, self._ended = target, True
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def _create(self) -> bool:
        """Try to create and lock the file; return False where somebody else has it locked."""
        if self._name is None:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
        else:
            name = str(self.path)
            descriptor = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Without a name of its own, it was met by a sweep, which removes it.
            os.close(descriptor)
            return False
        is_there = _is_at(name, descriptor)
        if is_there and not os.fstat(descriptor).st_size:
            self._descriptor, self.path = descriptor, Path(name)
            return True
        # What a process that died left is not written to, and what has its name for good by now neither.
        if is_there:
            Path(name).unlink()
        os.close(descriptor)
        return True


class FollowedFile:
    """An incoming file that somebody else writes; its methods block."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> "FollowedFile | None":
        """Return the file, or None where there is none."""
        try:
            return cls(path, os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
        except FileNotFoundError:
            return None

    def size(self) -> int | None:
        """Return how many bytes are written, or None once it is discarded or its process died."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.fstat(self._descriptor).st_size
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return None

    def close(self) -> None:
        """Follow no longer."""
        os.close(self._descriptor)


def sweep(folder: Path) -> None:
    """Remove the files of processes that died before they committed or discarded them."""
    for path in folder.iterdir():
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _is_at(name: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(name), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder and those that it lies in; return the folders that got a new entry by that."""
    try:
        # The data directory keeps everybody out by itself; where it lets a group in, a front server may read.
        folder.mkdir(mode=0o750)
    except FileExistsError:
        return []
    except FileNotFoundError:
        return [*_make_folder(folder.parent), *_make_folder(folder)]
    return [folder.parent]
