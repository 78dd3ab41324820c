"""Tar headers that tools read differently (POSIX.1-2008 pax, and GNU tar's long names)."""

import re
import tarfile
from collections.abc import Mapping

from pinfold.domain.inspection import Kind
from pinfold.inspection.limits import TooLarge, Unreadable
from pinfold.inspection.notes import Notes

_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG_NAME = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_RECORD = re.compile(rb"([1-9][0-9]{0,8}) [^=\n]+=")
# tarfile searches extended headers for numbers in a way whose time grows with the square of a number's digits.
_ABSURD_NUMBER = re.compile(rb"[0-9]{100}")
_MAX_GLOBAL_HEADERS = 50
_LARGEST_PLAIN_SIZE = 0o77777777777


def precedes_payload(header: bytes) -> bool:
    """Tell whether what follows a header block describes the next entry, and is no entry's data."""
    return header[156:157] in (*_EXTENDED, *_LONG_NAME)


def check_payload(header: bytes, payload: bytes, notes: Notes) -> None:
    """Check the description of an entry before tarfile reads it, with the padding, as far as there is something."""
    if header[156:157] in _LONG_NAME:
        if b"\0" in payload.rstrip(b"\0"):
            notes.observe(Kind.HEADER_MISMATCH, "a long name goes on behind its end")
        return
    if _ABSURD_NUMBER.search(payload):
        raise Unreadable("an extended header with an absurdly long number")
    size = _octal(header[124:136])
    at = 0
    while (record := _RECORD.match(payload, at)) and payload[at + int(record[1]) - 1 : at + int(record[1])] == b"\n":
        if record.end() > at + int(record[1]):
            break
        at += int(record[1])
    if at != size or payload[size:].strip(b"\0"):
        notes.observe(Kind.HEADER_MISMATCH, "an extended header that is not made of records")


def check_member(member: tarfile.TarInfo, global_headers: Mapping[str, str], notes: Notes) -> None:
    """Check what tarfile makes of an entry's headers."""
    if len(global_headers) > _MAX_GLOBAL_HEADERS:
        raise TooLarge(f"more than {_MAX_GLOBAL_HEADERS} global headers")
    if member.size < 0:
        raise Unreadable("an entry of negative size")
    for keyword in sorted(global_headers.keys() & {"path", "linkpath", "size"}):
        notes.observe(Kind.HEADER_MISMATCH, f"a global header gives every entry the same {keyword}", member.name)
    if "size" in member.pax_headers and member.size <= _LARGEST_PLAIN_SIZE:
        notes.observe(
            Kind.HEADER_MISMATCH, "an extended header gives a size that the plain header could give", member.name
        )
    if member.size and member.type in tarfile.SUPPORTED_TYPES and not member.isreg():
        notes.observe(Kind.HEADER_MISMATCH, f"{member.size} bytes of data for an entry that has none", member.name)
    if member.sparse is not None:
        notes.observe(Kind.SPECIAL_FILE, "a sparse file: tools disagree on where its bytes are", member.name)


def _octal(field: bytes) -> int:
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        return -1
