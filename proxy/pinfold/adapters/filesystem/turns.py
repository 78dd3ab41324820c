"""Turns that processes on one data directory take: at most one of them has a turn at a time."""

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinfold.adapters.filesystem.errors import store_errors

_FLOCK = struct.Struct("hhqqi0q")
"""The kernel's `struct flock`: type, whence, start, length and, always 0 here, process."""


class Turns:
    """Locked bytes of one file, which is always empty: a turn's name tells its byte.

    A file for each turn would have to be made and removed, which some file systems take long for. The kernel ends the
    turn of a process that dies.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "turns"

    @contextmanager
    def take(self, name: str) -> Iterator[bool]:
        """Try to take a turn, without waiting, and tell whether that worked; raises StoreError."""
        with store_errors(self._path):
            # Opened anew each time: what is locked through one opening is not kept from others through the same.
            file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            with store_errors(self._path):
                ours = _locked(file, _byte_of(name))
            yield ours
        finally:
            os.close(file)


def _byte_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])


def _locked(file: int, byte: int) -> bool:
    """Try to lock a byte of an open file, for as long as it stays open."""
    try:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    return True
