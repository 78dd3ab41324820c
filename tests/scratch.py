"""Where tests and benchmarks keep what they throw away: in memory, where there is room.

To make a file and to remove it again costs the kernel more than what is tested, on some file systems ten times as much.
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
"""Bytes; containers as a rule have 64 MiB."""


def memory() -> Path | None:
    """Return the folder for temporary files that lies in memory, if programs can be run from there."""
    if not os.access(_MEMORY, os.W_OK) or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return _MEMORY if shutil.disk_usage(_MEMORY).free >= _ROOM else None


def work_in_memory() -> None:
    """Have this process, and those that it starts, make temporary files in memory, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and (folder := memory()) is not None:
        # pytest has asked before where this process has them.
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
