"""The tar archive inside an sdist, read by tarfile through a stream that does not let it read too much at once.

The format is PEP 625's: one gzip stream (RFC 1952), one POSIX tar archive in it.
"""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng import zlib_ng

from pinfold.domain.inspection import Kind
from pinfold.inspection.content import CHUNK
from pinfold.inspection.limits import Budget, TooLarge, Unreadable
from pinfold.inspection.notes import Notes
from pinfold.inspection.tar_headers import check_member, check_payload, precedes_payload

_GZIP = b"\x1f\x8b\x08"
_HAS_NAME = 0x08
_HAS_EXTRA_OR_COMMENT = 0x04 | 0x10
_LONG_GZIP_HEADER = 300
_GZIP_WINDOW = 16 + zlib_ng.MAX_WBITS
# tarfile reads the headers that come before a header as a whole, however long they claim to be.
_MAX_HEADERS = 64 << 10


class TarStream:
    """The unpacked bytes of a gzip file, forward only; reading raises Unreadable or TooLarge."""

    def __init__(self, file: BinaryIO, notes: Notes, budget: Budget) -> None:
        self._file = file
        self._notes = notes
        self._budget = budget
        self._inflater = zlib_ng.decompressobj(_GZIP_WINDOW)
        self._waiting = b""
        self._ready = b""
        self._used = 0
        self._position = 0
        self._headers = 0
        self._last_block = b""
        self._check_gzip_header()

    def tell(self) -> int:
        """Return the position in the unpacked bytes."""
        return self._position

    def seek(self, position: int) -> int:
        """Go forward to a position."""
        if position < self._position:
            raise Unreadable("a header points backwards")
        for _ in self.take(position - self._position):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        """Return header bytes, for tarfile."""
        self._headers += size
        if not 0 <= self._headers <= _MAX_HEADERS:
            raise TooLarge(f"headers of more than {_MAX_HEADERS} bytes for one entry")
        self._budget.check_time()
        block = b"".join(self.take(size))
        if precedes_payload(self._last_block):
            check_payload(self._last_block, block, self._notes)
            self._last_block = b""
        else:
            self._last_block = block
        return block

    def begin_entry(self) -> None:
        """Let the next entry's headers take up the full allowance again."""
        self._headers = 0

    def take(self, size: int) -> Iterator[bytes]:
        """Yield the next bytes in pieces, fewer where the stream ends."""
        while size > 0 and (piece := self._piece(size)):
            size -= len(piece)
            self._position += len(piece)
            yield piece

    def finish(self) -> None:
        """Note what stands behind the end of the archive and behind the end of the gzip stream."""
        rest = 0
        if self._last_block.strip(b"\0"):
            rest += len(self._last_block)
        for piece in self.take(self._budget.limits.unpacked_size):
            rest += len(piece.strip(b"\0"))
        if rest:
            self._notes.observe(Kind.HIDDEN_DATA, f"{rest} bytes after the end of the tar archive")
        behind = len((self._inflater.unused_data + self._waiting).strip(b"\0"))
        while chunk := self._file.read(CHUNK):
            self._budget.check_time()
            behind += len(chunk.strip(b"\0"))
        if behind:
            self._notes.observe(Kind.HIDDEN_DATA, f"{behind} bytes after the end of the gzip stream")

    def _piece(self, size: int) -> bytes:
        if self._used == len(self._ready):
            self._ready, self._used = self._inflate(), 0
        piece = self._ready[self._used : self._used + size]
        self._used += len(piece)
        return piece

    def _inflate(self) -> bytes:
        try:
            while not self._inflater.eof:
                self._waiting = self._waiting or self._file.read(CHUNK)
                if not self._waiting:
                    raise Unreadable("the gzip stream breaks off")
                data = self._inflater.decompress(self._waiting, CHUNK)
                self._waiting = self._inflater.unconsumed_tail
                self._budget.unpack(len(data))
                if data:
                    return data
        except zlib_ng.error as error:  # type: ignore[misc]
            raise Unreadable(f"the gzip stream is damaged: {error}") from error
        return b""

    def _check_gzip_header(self) -> None:
        self._file.seek(0)
        header = self._file.read(_LONG_GZIP_HEADER)
        self._file.seek(0)
        if not header.startswith(_GZIP) or len(header) < 10:
            raise Unreadable("not a gzip file")
        if header[3] & _HAS_EXTRA_OR_COMMENT or (header[3] & _HAS_NAME and b"\0" not in header[10:]):
            self._notes.observe(Kind.UNREAD_BYTES, "the gzip header has a comment, extra fields or a long name")


def read_members(stream: TarStream, notes: Notes, budget: Budget) -> Iterator[tarfile.TarInfo]:
    """Yield the members in order; whoever wants a member's bytes takes them from the stream before going on."""
    try:
        archive = tarfile.TarFile(fileobj=stream, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            # tarfile would keep every member, with all its headers, until the end.
            archive.members.clear()  # type: ignore[attr-defined]
            stream.begin_entry()
            budget.enter()
            budget.check_entry(member.size)
            check_member(member, archive.pax_headers, notes)
            yield member
    except (tarfile.TarError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise Unreadable(f"the tar archive is damaged: {error}") from error
    stream.finish()
