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
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors

log = logging.getLogger(__name__)

_NAME = re.compile(r"[0-9a-f]{32}")
_HEAD = struct.Struct("<II")
"""What goes before a record: its length, and the CRC-32 of both."""


class Journal:
    """A journal that this process appends to; every method raises StoreError, after which it takes nothing more."""

    def __init__(self, folder: Path) -> None:
        """Begin a journal; blocking."""
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        hidden = self.path.with_suffix(".new")
        with store_errors(self.path):
            folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_DSYNC | os.O_CLOEXEC
            self._file = os.open(hidden, flags, 0o600)
            try:
                # Locked before it can be found: what nobody holds is taken to be left behind.
                fcntl.flock(self._file, fcntl.LOCK_EX)
                hidden.rename(self.path)
                for changed in (folder, folder.parent):
                    sync_folder(changed)
            except OSError:
                self.close()
                raise

    def append(self, records: Iterable[bytes]) -> None:
        """Append records, and return once they are durable; blocking."""
        data = b"".join(_HEAD.pack(len(record), _checksum(record)) + record for record in records)
        with store_errors(self.path):
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, "no space for all of it", str(self.path))
        self.size += len(data)

    def close(self) -> None:
        """Leave the journal behind, unless nothing was ever acknowledged to be in it."""
        if not self.size:
            # A full disk would fill with names of files otherwise, one for each attempt to write.
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)


class Found:
    """A journal in a folder, as far as it is written; only for reading. Every method raises StoreError."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file = file
        # In this order: what nobody holds does not grow any more.
        self.is_left_behind = _is_free(file)
        self.size = os.fstat(file).st_size

    def records(self, begin: int = 0) -> Iterator[tuple[bytes, int]]:
        """Yield records from a place on, each with the place after it; what is not written whole ends them."""
        with store_errors(self.path):
            # The loss of power may take from here what the ledger had taken up just before it was durable here.
            data = memoryview(os.pread(self._file, max(0, self.size - begin), begin))
        at = 0
        while at + _HEAD.size <= len(data):
            length, checksum = _HEAD.unpack_from(data, at)
            record = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(record) < length or _checksum(record) != checksum:
                return
            at += _HEAD.size + length
            yield bytes(record), begin + at

    def remove(self, end: int) -> None:
        """Remove what was left behind and is taken up, up to a place; what follows it stays, under another name."""
        if self.size <= end:
            with store_errors(self.path):
                self.path.unlink()
            return
        log.warning(
            "%s ends with %d bytes that were not written whole, nor acknowledged to anybody", self.path, self.size - end
        )
        with store_errors(self.path):
            self.path.rename(self.path.with_suffix(".torn"))


def found(folder: Path) -> Iterator[Found]:
    """Yield all journals of a folder, one open at a time, however many there are; raises StoreError."""
    with store_errors(folder):
        paths = _paths(folder)
    for path in paths:
        with store_errors(path):
            file = _open(path)
        if file is None:
            continue
        try:
            with store_errors(path):
                journal = Found(path, file)
            yield journal
        finally:
            os.close(file)


def _paths(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except FileNotFoundError:
        return []


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


def _checksum(record: bytes | memoryview) -> int:
    """Return a checksum of a record and its length: zeros, which the loss of power may leave, are no record."""
    return crc32(record, crc32(len(record).to_bytes(4, "little")))
