"""Turns that processes on one data directory take: at most one of them has a turn at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinfold.adapters.filesystem.errors import store_errors


class Turns:
    """Locked files in a folder; the kernel ends the turn of a process that dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def take(self, name: str) -> Iterator[bool]:
        """Try to take a turn, without waiting, and tell whether that worked; raises StoreError."""
        path = self._folder / f"{name}.turn"
        with store_errors(path):
            file = _locked(path)
        if file is None:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
            os.close(file)


def _locked(path: Path) -> int | None:
    while True:
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        if os.fstat(file).st_nlink:
            return file
        # Whoever had the turn removed the file before this process had it locked.
        os.close(file)
