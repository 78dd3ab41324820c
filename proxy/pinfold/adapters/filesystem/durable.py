"""Names of files that survive the loss of power, as their content does once it is synced."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make sure that what was created, renamed or removed in a folder stays so; blocking."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
