"""Records from a zip, one at a time and within bounds.

A feed's zip has hundreds of thousands of small entries. Python's zipfile keeps an object for each, some 700 bytes;
here the central directory is read as a stream, once to judge the whole and once beside the records themselves.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pinfold.adapters.osv.bounds import MAX_CONTENT, MAX_RATIO, MAX_RECORD, MAX_RECORDS
from pinfold.domain.errors import FeedError
from pinfold.inspection.limits import Limits, Unreadable
from pinfold.inspection.notes import Notes
from pinfold.inspection.zip_end import Directory, find_directory
from pinfold.inspection.zip_extra import wide_values

_SUFFIX = b".json"
_SLACK = 1 << 20
"""Bytes that even a small zip may unfold to."""
_BLOCK = 1 << 18
"""Bytes of the directory that are in memory at once; the longest entry has three fields of 64 KiB."""
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_STORED, _DEFLATED = 0, 8
_SATURATED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Member:
    """An entry of the central directory."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    header: int
    """Offset of its local header."""


class ZipRecords:
    """The records of a zip, to be iterated once; raises FeedError for what is no honest one."""

    def __init__(self, file: BinaryIO) -> None:
        """Find the directory, and hold what it says of all members against the bounds; blocking."""
        self._file = file
        self.count = 0
        packed = content = 0
        try:
            size = file.seek(0, os.SEEK_END)
            self._directory = find_directory(file, size, Notes(Limits()))
            for member in self._members():
                self.count += 1
                packed += member.packed_size
                content += member.size
                if self.count > MAX_RECORDS:
                    raise FeedError(f"more than {MAX_RECORDS} records in the zip")
        except (OSError, Unreadable) as error:
            raise FeedError(f"not a zip that can be read: {error}") from error
        if content > MAX_CONTENT or content > size * MAX_RATIO + _SLACK:
            raise FeedError(f"a zip of {size} bytes that unfolds to {content}: no feed looks like that")
        # Members that share their bytes unfold to more than any honest zip could hold.
        if packed > size:
            raise FeedError("the zip's members overlap")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content of each record, which is exactly what the directory said: as long, with that checksum."""
        member = None
        try:
            for member in self._members():
                yield self._read(member)
        except (OSError, Unreadable, zlib.error) as error:
            where = f"{_told(member)} in the zip" if member else "the zip"
            raise FeedError(f"{where} cannot be read: {error}") from error

    def _members(self) -> Iterator[_Member]:
        directory, at, found = self._directory, 0, 0
        while at < directory.size:
            self._file.seek(directory.offset + at)
            block = self._file.read(min(_BLOCK, directory.size - at))
            begin = at
            for member, length in _parse(block, directory):
                at += length
                found += 1
                if member.name.endswith(_SUFFIX):
                    yield _checked(member)
            if at == begin:
                raise Unreadable("the central directory breaks off")
        if found != directory.count:
            raise Unreadable(f"the end record counts {directory.count} entries of {found}")

    def _read(self, member: _Member) -> bytes:
        self._file.seek(member.header)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
            raise Unreadable("no local header where the directory says")
        *_, name_length, extra_length = _LOCAL.unpack(header)
        if self._file.read(name_length) != member.name:
            raise Unreadable("the local header has another name")
        self._file.seek(extra_length, os.SEEK_CUR)
        packed = self._file.read(member.packed_size)
        if member.method == _STORED:
            content = packed
        else:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise Unreadable("it is not what the directory says")
        return content


def _parse(block: bytes, directory: Directory) -> Iterator[tuple[_Member, int]]:
    """Yield the entries that stand in a block of the directory as a whole, each with its length there."""
    at = 0
    while at + _CENTRAL.size <= len(block):
        signature, _, _, flags, method, _, _, crc, packed, size, *rest = _CENTRAL.unpack_from(block, at)
        if signature != _CENTRAL_SIGNATURE:
            raise Unreadable("the central directory breaks off")
        name_length, extra_length, comment_length, _, _, _, header = rest
        name_at = at + _CENTRAL.size
        extra_at = name_at + name_length
        end = extra_at + extra_length + comment_length
        if end > len(block):
            return
        name = block[name_at:extra_at]
        if _SATURATED in (size, packed, header):
            extra = block[extra_at : extra_at + extra_length]
            size, packed, header = wide_values(extra, (size, packed, header), "", Notes(Limits()))
        yield _Member(name, flags, method, crc, packed, size, header + directory.shift), end - at
        at = end


def _told(member: _Member) -> str:
    return repr(member.name[:200].decode("utf-8", "replace"))


def _checked(member: _Member) -> _Member:
    if member.flags & _ENCRYPTED:
        raise FeedError("the zip is encrypted")
    if member.method not in (_STORED, _DEFLATED):
        raise FeedError(f"{_told(member)} in the zip is packed by method {member.method}, and not as feeds are")
    if max(member.size, member.packed_size) > MAX_RECORD:
        raise FeedError(f"{_told(member)} is larger than {MAX_RECORD} bytes")
    return member
