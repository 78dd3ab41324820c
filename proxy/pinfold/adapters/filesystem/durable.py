"""Files, and names of files, that survive the loss of power."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make sure that what was created, renamed or removed in a folder stays so; blocking."""
    _sync(folder, os.O_DIRECTORY)


def sync_files(files: Iterable[Path], below: Path) -> None:
    """Make sure that files stay, and the folders below another that lead to them; blocking, once for each folder."""
    folders: set[Path] = set()
    # What somebody removed meanwhile need not stay.
    for file in files:
        with suppress(FileNotFoundError):
            _sync(file)
        folders.update(folder for folder in file.parents if folder.is_relative_to(below))
    for folder in folders:
        with suppress(FileNotFoundError):
            sync_folder(folder)


def _sync(path: Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
