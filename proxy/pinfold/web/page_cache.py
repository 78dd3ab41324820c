"""Whether the kernel has a part of a file in memory, so that sending it does not wait for a disk."""

import os
from typing import Final

PROBED: Final = 128 * 1024
"""Bytes between two probes: what Linux reads ahead at once is read, and forgotten, together."""
_PROBE_FLAGS: Final = getattr(os, "RWF_NOWAIT", None)


def is_in_memory(descriptor: int, position: int, count: int) -> bool:
    """Tell whether a part of a file can be read without a disk; False where the system cannot tell."""
    if _PROBE_FLAGS is None:
        return False
    byte = bytearray(1)
    try:
        return all(
            os.preadv(descriptor, [byte], place, _PROBE_FLAGS)
            for place in (*range(position, position + count, PROBED), position + count - 1)
        )
    except OSError:
        return False


def bring_in(descriptor: int, position: int, count: int) -> None:
    """Read a part of a file, so that it is in memory; blocking."""
    end = position + count
    while position < end and (read := len(os.pread(descriptor, min(end - position, PROBED), position))):
        position += read
