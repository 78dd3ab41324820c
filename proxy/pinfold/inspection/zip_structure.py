"""The structure of a zip archive, read twice and compared (APPNOTE 6.3.10, sections 4.3.7 to 4.3.12).

zipfile, and so pip, goes by the central directory; tools that stream an archive go by the header in front of each
entry. An archive on which the two disagree installs something else than it shows.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from msgspec import Struct, structs

from pinfold.domain.inspection import Kind
from pinfold.inspection.limits import Budget, TooLarge, Unreadable
from pinfold.inspection.notes import Notes
from pinfold.inspection.zip_end import Directory, find_directory
from pinfold.inspection.zip_extra import check_names, wide_values

STORED = 0
DEFLATED = 8
ENCRYPTED = 0x0001 | 0x0040 | 0x2000
DESCRIPTOR_FOLLOWS = 0x0008
UTF8_NAME = 0x0800

_CENTRAL = struct.Struct("<4s6H3I5H2I")
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_MAX_DESCRIPTOR = 24
_MAX_DIRECTORY = 64 << 20
_LONG_EXTRA = 1024
_LATEST_VERSION = 63
_SATURATED = 0xFFFFFFFF


class Entry(Struct, frozen=True, gc=False):
    """One entry as the central directory states it."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    mode: int
    """The Unix mode; 0 where the archive gives none."""
    header: int
    """Offset of its local header."""
    data: int = 0
    """Offset of its packed bytes."""
    wide: bool = False
    """The local header has zip64 sizes, and so has a descriptor behind the data."""

    @property
    def folder(self) -> bool:
        """Whether it is a folder, which the format tells by the name only."""
        return self.name.endswith("/")

    @property
    def data_end(self) -> int:
        """Offset of what comes after its packed bytes."""
        return self.data + self.packed_size


def read_entries(file: BinaryIO, file_size: int, notes: Notes, budget: Budget) -> list[Entry]:
    """Return the entries in the order of their bytes, with every disagreement noted.

    Nothing is unpacked. Raises Unreadable where no directory can be made out, TooLarge beyond a limit.
    """
    directory = find_directory(file, file_size, notes)
    if directory.count > budget.limits.entries:
        raise TooLarge(f"more than {budget.limits.entries} entries")
    if directory.size > _MAX_DIRECTORY:
        raise TooLarge(f"a central directory of more than {_MAX_DIRECTORY} bytes")
    file.seek(directory.offset)
    central = sorted(
        _central_entries(file.read(directory.size), directory, notes, budget), key=lambda entry: entry.header
    )
    if len(central) != directory.count:
        notes.observe(Kind.HEADER_MISMATCH, f"the end record counts {directory.count} entries of {len(central)}")
    entries = []
    for entry in central:
        budget.check_time()
        if entry.header + _LOCAL.size > directory.offset:
            raise Unreadable(f"{entry.name!r} lies outside the archive")
        entries.append(_locate(file, entry, notes))
    _check_gaps(file, entries, directory.offset, notes)
    return entries


def _central_entries(data: bytes, directory: Directory, notes: Notes, budget: Budget) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        budget.enter()
        if data[at : at + 4] != _CENTRAL_SIGNATURE or at + _CENTRAL.size > len(data):
            raise Unreadable("the central directory breaks off")
        _, _, version, flags, method, _, _, crc, packed, size, *lengths, disk, _, attributes, offset = (
            _CENTRAL.unpack_from(data, at)
        )
        name_length, extra_length, comment_length = lengths
        name_end = at + _CENTRAL.size + name_length
        raw_name, extra = data[at + _CENTRAL.size : name_end], data[name_end : name_end + extra_length]
        at = name_end + extra_length + comment_length
        if at > len(data):
            raise Unreadable("the central directory breaks off")
        name = _decode(raw_name, flags, notes)
        size, packed, offset = wide_values(extra, (size, packed, offset), name, notes)
        check_names(extra, raw_name, name, notes)
        if version & 0xFF > _LATEST_VERSION:
            notes.observe(Kind.UNREADABLE_ARCHIVE, f"asks for version {version & 0xFF} of the zip format", name)
        if disk:
            notes.observe(Kind.HEADER_MISMATCH, "the entry is on another disk", name)
        if comment_length or extra_length > _LONG_EXTRA:
            notes.observe(Kind.UNREAD_BYTES, f"a comment of {comment_length}, extra of {extra_length} bytes", name)
        budget.check_entry(size)
        budget.unpack(size)
        yield Entry(name, raw_name, flags, method, crc, packed, size, attributes >> 16, header=offset + directory.shift)


def _decode(raw_name: bytes, flags: int, notes: Notes) -> str:
    if raw_name.isascii():
        return raw_name.decode("ascii")
    if flags & UTF8_NAME:
        return raw_name.decode("utf-8", "surrogateescape")
    name = raw_name.decode("cp437")
    notes.observe(Kind.ODD_NAME, "a name beyond ASCII that is not marked as UTF-8", name)
    return name


def _locate(file: BinaryIO, entry: Entry, notes: Notes) -> Entry:
    """Return the entry with the place of its data, its local header compared with the directory."""
    file.seek(entry.header)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
        raise Unreadable(f"{entry.name!r} has no local header where the directory says")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    raw_name, extra = file.read(name_length), file.read(extra_length)
    wide = _SATURATED in (size, packed)
    size, packed, _ = wide_values(extra, (size, packed, 0), entry.name, notes)
    check_names(extra, raw_name, entry.name, notes)
    if len(extra) > _LONG_EXTRA:
        notes.observe(Kind.UNREAD_BYTES, f"an extra field of {len(extra)} bytes", entry.name)
    differing = [
        what
        for what, here, there in (
            ("name", raw_name, entry.raw_name),
            ("flags", flags, entry.flags),
            ("compression", method, entry.method),
        )
        if here != there
    ]
    sizes = (crc, packed, size)
    if sizes != (entry.crc, entry.packed_size, entry.size) and not (
        flags & DESCRIPTOR_FOLLOWS and sizes[0] in (0, entry.crc) and not (packed or size)
    ):
        differing.append("checksum or sizes")
    if flags & DESCRIPTOR_FOLLOWS and method == STORED and entry.size:
        differing.append("end: stored data of a length that comes after it")
    if differing:
        what = ", ".join(differing)
        notes.observe(Kind.HEADER_MISMATCH, f"local header and central directory disagree: {what}", entry.name)
    return structs.replace(entry, data=entry.header + _LOCAL.size + name_length + extra_length, wide=wide)


def _check_gaps(file: BinaryIO, entries: list[Entry], end: int, notes: Notes) -> None:
    """Note bytes that belong to no entry, and bytes that belong to more than one."""
    starts = [entry.header for entry in entries] + [end]
    if starts[0]:
        _note_gap(file, 0, starts[0], "before the first entry", notes)
    for entry, (_, following) in zip(entries, pairwise(starts), strict=True):
        gap = following - entry.data_end
        if gap < 0:
            notes.observe(Kind.OVERLAPPING_ENTRIES, "the entry's bytes are shared with what follows", entry.name)
        elif entry.flags & DESCRIPTOR_FOLLOWS:
            _check_descriptor(file, entry, gap, notes)
        elif gap:
            _note_gap(file, entry.data_end, gap, f"after {entry.name!r}", notes)


def _check_descriptor(file: BinaryIO, entry: Entry, gap: int, notes: Notes) -> None:
    file.seek(entry.data_end)
    found = file.read(min(gap, _MAX_DESCRIPTOR))
    values = struct.pack("<IQQ" if entry.wide else "<III", entry.crc, entry.packed_size, entry.size)
    for descriptor in (_DESCRIPTOR_SIGNATURE + values, values):
        if found.startswith(descriptor):
            if gap > len(descriptor):
                _note_gap(file, entry.data_end + len(descriptor), gap - len(descriptor), f"after {entry.name!r}", notes)
            return
    notes.observe(Kind.HEADER_MISMATCH, "the descriptor behind the data disagrees with the directory", entry.name)


def _note_gap(file: BinaryIO, offset: int, length: int, where: str, notes: Notes) -> None:
    file.seek(offset)
    if file.read(len(_LOCAL_SIGNATURE)) == _LOCAL_SIGNATURE:
        notes.observe(Kind.HIDDEN_ENTRY, f"an entry that the directory does not list, {where}")
    else:
        notes.observe(Kind.HIDDEN_DATA, f"{length} bytes that belong to no entry, {where}")
