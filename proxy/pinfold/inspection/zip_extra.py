"""Extra fields of zip entries that change what the entry is (APPNOTE 6.3.10, sections 4.5.3 and 4.6.9)."""

import struct
from collections.abc import Iterator

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes

_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075
_SATURATED = 0xFFFFFFFF


def wide_values(extra: bytes, values: tuple[int, int, int], name: str, notes: Notes) -> tuple[int, int, int]:
    """Return size, packed size and offset with zip64's values in place of those that are marked as too large."""
    if not extra and _SATURATED not in values:
        return values
    fields = [data for key, data in _fields(extra, name, notes) if key == _ZIP64]
    if len(fields) > 1:
        notes.observe(Kind.HEADER_MISMATCH, "more than one zip64 field", name)
    rest = fields[0] if fields else b""
    true = []
    for value in values:
        if value != _SATURATED:
            true.append(value)
        elif len(rest) < 8:
            notes.observe(Kind.HEADER_MISMATCH, "the zip64 field lacks a value that the header leaves to it", name)
            true.append(value)
        else:
            true.append(int.from_bytes(rest[:8], "little"))
            rest = rest[8:]
    # Some tools take these values whatever the header says.
    if rest and not struct.pack("<QQQ", *true).startswith(rest):
        notes.observe(Kind.HEADER_MISMATCH, "the zip64 field has values that the header does not ask for", name)
    return true[0], true[1], true[2]


def check_names(extra: bytes, raw_name: bytes, name: str, notes: Notes) -> None:
    """Note a second name, which some tools prefer to the first."""
    for key, data in _fields(extra) if extra else ():
        if key == _UNICODE_PATH and data[5:] != raw_name and data[5:] != name.encode("utf-8", "surrogateescape"):
            notes.observe(Kind.HEADER_MISMATCH, f"a second name: {data[5:].decode('utf-8', 'replace')!r}", name)


def _fields(extra: bytes, name: str = "", notes: Notes | None = None) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(extra):
        key, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            break
        yield key, extra[at + 4 : at + 4 + length]
        at += 4 + length
    if notes is not None and extra[at:].strip(b"\0"):
        notes.observe(Kind.HEADER_MISMATCH, "extra fields that cannot be read", name)
