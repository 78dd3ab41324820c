"""The end of a zip archive: where its central directory is (APPNOTE 6.3.10, sections 4.3.14 to 4.3.16)."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from pinfold.domain.inspection import Kind
from pinfold.inspection.limits import Unreadable
from pinfold.inspection.notes import Notes

_END = struct.Struct("<4s4H2IH")
_END_SIGNATURE = b"PK\x05\x06"
_END64 = struct.Struct("<4sQ2H2I4Q")
_END64_SIGNATURE = b"PK\x06\x06"
_LOCATOR = struct.Struct("<4sIQI")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_MAX_COMMENT = 0xFFFF
_SATURATED = 0xFFFFFFFF
_SATURATED_COUNT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory stands in the file."""

    offset: int
    size: int
    count: int
    shift: int
    """Bytes by which everything stands later than the archive says, because something was put before it."""


def ends_like_zip(file: BinaryIO, file_size: int) -> bool:
    """Tell whether pip would take a file for a zip archive, whatever its name (`zipfile.is_zipfile`)."""
    return bool(_end_positions(_tail(file, file_size)))


def find_directory(file: BinaryIO, file_size: int, notes: Notes) -> Directory:
    """Find the central directory the way zipfile does, noting where others could find another one."""
    tail = _tail(file, file_size)
    positions = _end_positions(tail)
    if not positions:
        raise Unreadable("no end of a zip archive")
    position = positions[-1]
    _check_position(tail, positions, notes)
    end = file_size - len(tail) + position
    _, disk, directory_disk, count_here, count, size, offset, _ = _END.unpack_from(tail, position)
    if disk or directory_disk or count_here != count:
        notes.observe(Kind.HEADER_MISMATCH, "the end record speaks of several disks")
    wide = _find_end64(file, end, notes)
    if wide is not None:
        narrow = [(count, _SATURATED_COUNT), (size, _SATURATED), (offset, _SATURATED)]
        if any(value not in (saturated, true) for (value, saturated), true in zip(narrow, wide[:3], strict=True)):
            notes.observe(Kind.HEADER_MISMATCH, "the end record and its zip64 record disagree")
        count, size, offset, end = wide
    shift = end - size - offset
    if shift < 0:
        raise Unreadable("the central directory lies outside the archive")
    return Directory(offset + shift, size, count, shift)


def _tail(file: BinaryIO, file_size: int) -> bytes:
    file.seek(max(0, file_size - _END.size - _MAX_COMMENT))
    return file.read(_END.size + _MAX_COMMENT)


def _end_positions(tail: bytes) -> list[int]:
    positions = []
    at = tail.find(_END_SIGNATURE)
    while at != -1 and at + _END.size <= len(tail):
        positions.append(at)
        at = tail.find(_END_SIGNATURE, at + 1)
    return positions


def _check_position(tail: bytes, positions: list[int], notes: Notes) -> None:
    def ends_at(position: int) -> int:
        return position + _END.size + int(_END.unpack_from(tail, position)[-1])

    fitting = [position for position in positions if ends_at(position) == len(tail)]
    if not fitting:
        excess = len(tail) - ends_at(positions[-1])
        if excess < 0:
            raise Unreadable("the archive is cut off in its comment")
        notes.observe(Kind.HIDDEN_DATA, f"{excess} bytes after the end of the archive")
    elif fitting != positions[-1:]:
        notes.observe(Kind.AMBIGUOUS_FORMAT, "more than one end record: tools see different archives")
    elif ends_at(fitting[0]) > fitting[0] + _END.size:
        comment = tail[fitting[0] + _END.size :]
        notes.observe(Kind.UNREAD_BYTES, f"an archive comment of {len(comment)} bytes: {comment[:40]!r}")


def _find_end64(file: BinaryIO, end: int, notes: Notes) -> tuple[int, int, int, int] | None:
    """Return count, size and offset of the directory, and where it must end, where there is a zip64 end record."""
    position = end - _LOCATOR.size - _END64.size
    if position < 0:
        return None
    file.seek(position)
    block = file.read(_LOCATOR.size + _END64.size)
    signature, disk, claimed, disks = _LOCATOR.unpack_from(block, _END64.size)
    if signature != _LOCATOR_SIGNATURE:
        return None
    record, length, _, _, here, there, count_here, count, size, offset = _END64.unpack_from(block)
    # zipfile expects the record right before its locator; others go where the locator points.
    if record != _END64_SIGNATURE:
        raise Unreadable("the zip64 end record is not where it should be")
    if claimed != position or length != _END64.size - 12:
        notes.observe(Kind.AMBIGUOUS_FORMAT, "the zip64 locator points elsewhere: tools see different archives")
    if disk or disks > 1 or here or there or count_here != count:
        notes.observe(Kind.HEADER_MISMATCH, "the zip64 end record speaks of several disks")
    return count, size, offset, position
