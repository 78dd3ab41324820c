"""How much an inspection may take, and the account that it keeps of it."""

import time
from dataclasses import dataclass

_KIB = 1 << 10
_MIB = 1 << 20
_GIB = 1 << 30


class TooLarge(Exception):
    """An archive goes beyond a limit; the message says which."""


class Unreadable(Exception):
    """The bytes are not the archive that they should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one inspection; sizes in bytes.

    The defaults let the largest wheels on PyPI through (a few GB, tens of thousands of files).
    """

    entries: int = 100_000
    depth: int = 64
    """Folders in one path."""
    path: int = 4096
    """Characters of one path."""
    entry_size: int = 4 * _GIB
    unpacked_size: int = 8 * _GIB
    ratio: int = 200
    """Unpacked to packed size of the whole archive, once it unpacks to more than `ratio_from`."""
    ratio_from: int = 64 * _MIB
    record: int = 16 * _MIB
    """A wheel's RECORD."""
    text: int = 1 * _MIB
    """Any other metadata that is read as a whole."""
    toml: int = 128 * _KIB
    """A pyproject.toml: tomllib takes some 300 times its size in memory, at worst."""
    source: int = 2 * _MIB
    """A Python module that is looked at for hidden code; larger ones are reported as not read."""
    tokens: int = 100_000
    """Words and signs of a module that is parsed; 100,000 take about 100 MB and half a second at worst."""
    traits: int = 5_000
    seconds: float = 120.0


class Budget:
    """What is left of the limits while one archive is inspected; every method raises TooLarge when nothing is."""

    def __init__(self, limits: Limits, archive_size: int) -> None:
        self.limits = limits
        self.entries = 0
        self.unpacked = 0
        self._archive_size = archive_size
        self._deadline = time.monotonic() + limits.seconds

    def enter(self) -> None:
        """Account for one more entry."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise TooLarge(f"more than {self.limits.entries} entries")
        self.check_time()

    def unpack(self, size: int) -> None:
        """Account for unpacked bytes."""
        self.unpacked += size
        if self.unpacked > self.limits.unpacked_size:
            raise TooLarge(f"unpacks to more than {self.limits.unpacked_size} bytes")
        if self.unpacked > max(self.limits.ratio_from, self.limits.ratio * self._archive_size):
            raise TooLarge(f"unpacks to more than {self.limits.ratio} times its size")
        self.check_time()

    def check_entry(self, size: int) -> None:
        """Refuse an entry for its own size."""
        if size > self.limits.entry_size:
            raise TooLarge(f"an entry unpacks to more than {self.limits.entry_size} bytes")

    def check_time(self) -> None:
        """Refuse to go on after the deadline."""
        if time.monotonic() > self._deadline:
            raise TooLarge(f"takes more than {self.limits.seconds:g} s to inspect")
