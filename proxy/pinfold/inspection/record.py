"""A wheel's RECORD: every file with its hash and size (the recording-installed-projects specification)."""

import base64
import csv
import hashlib
import io

from msgspec import Struct

from pinfold.domain.inspection import Kind
from pinfold.inspection.content import Content
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import escapes

_SIGNATURES = (".jws", ".p7s")
_KNOWN = {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")}
_STRONG = _KNOWN - {"md5", "sha1"}


class Row(Struct, frozen=True, gc=False):
    """What RECORD says of one file; None for what it leaves out."""

    algorithm: str | None
    digest: str | None
    size: int | None


class Record:
    """A RECORD that entries are compared with one by one."""

    def __init__(self, file: str, rows: dict[str, Row], notes: Notes) -> None:
        self._file = file
        self._unlisted = {file, *(file + suffix for suffix in _SIGNATURES)}
        self._rows = rows
        self._notes = notes
        self._missing = set(rows)

    def algorithm(self, path: str) -> str | None:
        """Return how a path's bytes must be hashed to be compared."""
        row = self._rows.get(path)
        return row.algorithm if row is not None and row.algorithm in _KNOWN else None

    def check(self, path: str, content: Content) -> None:
        """Compare an entry's content with its row."""
        self._missing.discard(path)
        if path in self._unlisted:
            return
        row = self._rows.get(path)
        if row is None:
            self._notes.observe(Kind.NOT_IN_RECORD, "RECORD does not list it", path)
            return
        if row.algorithm not in _STRONG:
            self._notes.observe(Kind.WEAK_RECORD_HASH, f"RECORD has no strong hash of it: {row.algorithm}", path)
        if row.size is not None and row.size != content.size:
            self._notes.observe(Kind.RECORD_MISMATCH, f"{content.size} bytes, where RECORD says {row.size}", path)
        elif content.digest is not None and _encode(content.digest) != row.digest:
            self._notes.observe(Kind.RECORD_MISMATCH, "its hash is another than RECORD says", path)

    def finish(self) -> None:
        """Note the rows that no entry stands for; an installer would remove such files on uninstall."""
        for path in sorted(self._missing):
            if escapes(path):
                self._notes.observe(Kind.PATH_ESCAPE, f"RECORD lists {path!r}, outside the installation", self._file)
            elif path != self._file and not path.endswith("/"):
                self._notes.observe(Kind.NOT_IN_ARCHIVE, f"RECORD lists {path!r}, which is not there", self._file)


def read_record(body: bytes, file: str, notes: Notes) -> Record:
    """Read a RECORD; what cannot be understood is noted and left out."""
    rows: dict[str, Row] = {}
    try:
        for number, values in enumerate(csv.reader(io.StringIO(body.decode("utf-8"), newline="")), start=1):
            if not values:
                continue
            row = _row(values)
            if row is None:
                notes.observe(Kind.RECORD_MALFORMED, f"not a path, a hash and a size: {values!r}", file, number)
            elif values[0] in rows:
                notes.observe(Kind.RECORD_DUPLICATE, f"{values[0]!r} is listed more than once", file, number)
            else:
                rows[values[0]] = row
    except (csv.Error, UnicodeDecodeError) as error:
        notes.observe(Kind.RECORD_MALFORMED, f"RECORD cannot be read: {error}", file)
    return Record(file, rows, notes)


def _row(values: list[str]) -> Row | None:
    if len(values) != 3:
        return None
    _, hashed, size = values
    algorithm, separator, digest = hashed.partition("=")
    if (hashed and not separator) or (size and not (size.isascii() and size.isdigit() and len(size) < 20)):
        return None
    return Row(algorithm.lower() or None, digest.rstrip("=") or None, int(size) if size else None)


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
