"""Journals: files that one process each appends records to, durably, for whoever takes them up later.

A process that dies leaves its journal unlocked. What it had not finished writing was not acknowledged to anybody, and
is told by a checksum.
"""

import errno
import fcntl
import logging
import os
import re
import secrets
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{32}")
_HEAD = struct.Struct("<II")
"""What goes before a record: its length, and its CRC-32."""


class Journal:
    """A journal that this process appends to; every method raises StoreError, after which it takes nothing more."""

    def __init__(self, folder: Path) -> None:
        """Begin a journal; blocking."""
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        hidden = self.path.with_suffix(".new")
        with store_errors(self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
            # Locked before it can be found: what nobody holds is taken to be left behind.
            fcntl.flock(self._file, fcntl.LOCK_EX)
            hidden.rename(self.path)
            sync_folder(folder)

    def append(self, records: Iterable[bytes]) -> None:
        """Append records, and return once they are durable; blocking."""
        data = b"".join(_HEAD.pack(len(record), crc32(record)) + record for record in records)
        with store_errors(self.path):
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, "no space for all of it", str(self.path))
            os.fdatasync(self._file)
        self.size += len(data)

    def close(self) -> None:
        """Leave the journal behind."""
        os.close(self._file)


class Found:
    """A journal in a folder, as far as it is written; only for reading."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        # In this order: what nobody holds does not grow any more.
        self.is_left_behind = _is_free(file)
        self.size = os.fstat(file).st_size

    def records(self, begin: int = 0) -> Iterator[tuple[bytes, int]]:
        """Yield records from a place on, each with the place after it; what is not written whole ends them."""
        data = memoryview(os.pread(self._file, self.size - begin, begin))
        at = 0
        while at + _HEAD.size <= len(data):
            length, checksum = _HEAD.unpack_from(data, at)
            record = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(record) < length or crc32(record) != checksum:
                return
            at += _HEAD.size + length
            yield bytes(record), begin + at

    def remove(self, end: int) -> None:
        """Remove what was left behind and is taken up, up to a place; what follows it stays, under another name."""
        if self.size == end:
            self.path.unlink()
            return
        log.warning(
            "%s ends with %d bytes that were not written whole, nor acknowledged to anybody", self.path, self.size - end
        )
        self.path.rename(self.path.with_suffix(".torn"))


@contextmanager
def found(folder: Path) -> Iterator[list[Found]]:
    """Open all journals of a folder; raises StoreError."""
    opened: list[int] = []
    try:
        with store_errors(folder):
            journals = [Found(path, file) for path in _paths(folder) if (file := _open(path, opened)) is not None]
        yield journals
    finally:
        for file in opened:
            os.close(file)


def _paths(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def _open(path: Path, opened: list[int]) -> int | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    opened.append(file)
    return file


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
