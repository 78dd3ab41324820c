"""The unpacked bytes of zip entries, in bounded pieces and no more of them than the archive declares.

They are inflated by zlib-ng, which refuses what zlib refuses, and so what pip cannot install; ISA-L's takes more.
"""

from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng import zlib_ng

from pinfold.domain.inspection import Kind
from pinfold.inspection.content import CHUNK
from pinfold.inspection.limits import Budget
from pinfold.inspection.notes import Notes
from pinfold.inspection.zip_structure import DEFLATED, ENCRYPTED, STORED, Entry


def unpack(file: BinaryIO, entry: Entry, notes: Notes, budget: Budget) -> Iterator[bytes]:
    """Yield an entry's bytes; what cannot be unpacked, or is not what the directory declares, is noted."""
    if entry.flags & ENCRYPTED:
        notes.observe(Kind.ENCRYPTED_ENTRY, "encrypted: nobody can install it", entry.name)
        return
    if entry.method not in (STORED, DEFLATED):
        notes.observe(
            Kind.UNUSUAL_COMPRESSION, f"compressed by method {entry.method}: neither stored nor deflated", entry.name
        )
        return
    packed = _packed(file, entry, budget)
    size, crc = 0, 0
    try:
        for chunk in packed if entry.method == STORED else _inflate(packed, entry, notes):
            size += len(chunk)
            # A fifteenth of the time that zlib's takes.
            crc = zlib_ng.crc32(chunk, crc)
            if size > entry.size:
                break
            yield chunk
    except (EOFError, zlib_ng.error) as error:  # type: ignore[misc]
        notes.observe(Kind.DAMAGED_ENTRY, f"its compressed bytes are damaged: {error}", entry.name)
        return
    if size != entry.size:
        notes.observe(Kind.DAMAGED_ENTRY, f"{size} bytes or more, where {entry.size} are declared", entry.name)
    elif crc != entry.crc:
        notes.observe(Kind.DAMAGED_ENTRY, "its checksum is another than declared", entry.name)


def _packed(file: BinaryIO, entry: Entry, budget: Budget) -> Iterator[bytes]:
    at = entry.data
    while at < entry.data_end:
        budget.check_time()
        file.seek(at)
        chunk = file.read(min(CHUNK, entry.data_end - at))
        if not chunk:
            return
        at += len(chunk)
        yield chunk


def _inflate(packed: Iterator[bytes], entry: Entry, notes: Notes) -> Iterator[bytes]:
    inflater = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
    for chunk in packed:
        waiting = chunk
        while waiting and not inflater.eof:
            yield inflater.decompress(waiting, CHUNK)
            waiting = inflater.unconsumed_tail
        if inflater.eof:
            break
    if not inflater.eof:
        # What the last piece had no room for, with the end of the data perhaps.
        yield inflater.flush()
    if not inflater.eof:
        raise EOFError("incomplete stream")
    left = len(inflater.unused_data) + sum(map(len, packed))
    if left:
        notes.observe(Kind.HIDDEN_DATA, f"{left} bytes behind the end of the compressed data", entry.name)
