"""Journals: files that one process each appends records to, durably, for whoever takes them up later.

A journal is made as long as it is to be, of zeros, and then written over: a file that grows has its length written as
well, each time. A process that dies leaves its journal unlocked. What it had not finished writing was not acknowledged
to anybody, and is told by a checksum, as are the zeros behind it.
"""

import errno
import fcntl
import logging
import os
import re
import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{32}")
_HEAD = struct.Struct("<II")
"""What goes before a record: its length, and the CRC-32 of both."""
_UNFINISHED = ".new"
"""What the name of a journal ends with that is not prepared yet."""
PREPARED = 1 << 20
"""Bytes of a journal when it begins; one that is written beyond them grows."""
_LOOKED_THROUGH = 16 * PREPARED
"""Bytes behind the records; no process that records leaves as many, but a file may claim any length."""


class Journal:
    """A journal that this process appends to; every method raises StoreError, after which it takes nothing more."""

    def __init__(self, folder: Path) -> None:
        """Begin a journal; blocking."""
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self.reach = 0
        """Bytes that nobody can have read more of: `size`, and what is being written."""
        hidden = self.path.with_suffix(_UNFINISHED)
        with store_errors(self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_DSYNC | os.O_CLOEXEC
            self._file = os.open(hidden, flags, 0o600)
            try:
                # Locked before it can be found: what nobody holds is taken to be left behind.
                fcntl.flock(self._file, fcntl.LOCK_EX)
                _write(self._file, bytes(PREPARED), 0)
                hidden.rename(self.path)
                for changed in (folder, folder.parent):
                    sync_folder(changed)
            except OSError:
                hidden.unlink(missing_ok=True)
                self.close()
                raise

    @property
    def is_full(self) -> bool:
        """Whether it takes no more without growing."""
        return self.size >= PREPARED

    def append(self, records: bytes) -> None:
        """Append records that are `framed`, and return once they are durable; blocking."""
        self.reach = self.size + len(records)
        with store_errors(self.path):
            _write(self._file, records, self.size)
        self.size = self.reach

    def close(self) -> None:
        """Leave the journal behind, unless nothing was ever acknowledged to be in it."""
        if not self.size:
            # A full disk would fill with names of files otherwise, one for each attempt to write.
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)


class Found:
    """A journal in a folder; only for reading. Every method raises StoreError."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        # In this order: what nobody holds does not grow any more.
        self.is_left_behind = _is_free(file)
        self._length = os.fstat(file).st_size

    def records(self, begin: int = 0) -> Iterator[tuple[bytes, int]]:
        """Yield records from a place on, each with the place after it; what is not written whole ends them."""
        with store_errors(self.path), open(self._file, "rb", closefd=False) as file:
            file.seek(begin)
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                begin += _HEAD.size + length
                # What is not whole may claim any length.
                if begin > self._length or _checksum(record := file.read(length)) != checksum:
                    return
                yield record, begin

    def remove(self, end: int) -> None:
        """Remove what was left behind and is taken up, up to a place; it stays, under another name, if more follows.

        It also stays if its records end before that place: somebody may have claimed that they were taken up.
        """
        # The loss of power may take all from here that the ledger had taken up just before it was durable here.
        whole = max((place for _, place in self.records()), default=end)
        with store_errors(self.path):
            rest = max(0, self._length - end)
            if rest <= _LOOKED_THROUGH:
                rest = len(os.pread(self._file, rest, end).rstrip(b"\0"))
            if not rest and whole == end:
                self.path.unlink()
                return
            self.path.rename(self.path.with_suffix(".torn"))
        if rest:
            log.warning(
                "%s ends with %d bytes that were not written whole, nor acknowledged to anybody", self.path, rest
            )
        else:
            log.error(
                "%s has %d bytes of entries, and the ledger claims to have %d: the power was lost, or somebody changed "
                "the ledger",
                self.path,
                whole,
                end,
            )


def framed(records: Iterable[bytes]) -> bytes:
    """Return records as a journal holds them."""
    return b"".join(_HEAD.pack(len(record), _checksum(record)) + record for record in records)


def found(folder: Path) -> Iterator[Found]:
    """Yield all journals of a folder, one open at a time, however many there are; raises StoreError."""
    with store_errors(folder):
        paths = _paths(folder)
    for path in paths:
        with _opened(path) as file:
            if file is not None:
                with store_errors(path):
                    journal = Found(path, file)
                yield journal


def sweep(folder: Path) -> None:
    """Remove what processes that died had not prepared yet, of which nothing was acknowledged; blocking."""
    for path in folder.glob(f"*{_UNFINISHED}"):
        with _opened(path) as file:
            if file is not None and _is_free(file):
                with suppress(OSError):
                    path.unlink()


def _paths(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file for reading as long as the context lasts; None where it is gone by now. Raises StoreError."""
    with store_errors(path):
        file = _open(path)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _open(path: Path) -> int | None:
    try:
        # Whatever has that name: nothing that is opened keeps a process waiting.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: int, data: bytes, place: int) -> None:
    if os.pwrite(file, data, place) < len(data):
        raise OSError(errno.ENOSPC, "no space for all of it")


def _checksum(record: bytes) -> int:
    """Return a checksum of a record and its length: zeros, which the loss of power may leave, are no record."""
    return crc32(record, crc32(len(record).to_bytes(4, "little")))
