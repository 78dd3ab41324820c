"""Clients, files and sets of verdicts recur from request to request: each is stored once, and referred to by number.

Clients and verdicts are cut out of the entries' bytes. The view `audit_entry` puts them back where they were, so that
what is hashed, signed, exported and read are the canonical bytes, whole. Nothing has to be believed of them: a wrong
one makes wrong bytes of every entry that it is put into. Files are copies, as columns
are, by which entries are searched and counted: an entry has one place, among those of its file, where it would have
one by project, one by file name, one by hash.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import NamedTuple, TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_columns import LoggedFile
from pinfold.audit.canonical import RECURRING, Rendered, canonical_part

Row = TypeVar("Row", bound=tuple[bytes | str | None, ...])

SHORTEST = 40
"""Bytes of a set of verdicts; to refer to one costs some itself."""
_AT_ONCE = 16
"""Parts that one statement looks for; a statement for each number of them would be prepared again and again."""
_MARKS = ", ".join("?" * _AT_ONCE)


class Stored(NamedTuple):
    """What is stored of an entry's canonical bytes: less the client and, after it, the verdicts, with their places."""

    body: bytes
    client: int
    client_at: int
    file: int
    verdicts: int | None = None
    verdicts_at: int | None = None


STORED = ", ".join(Stored._fields)


class Cut(NamedTuple):
    """An entry's canonical bytes in parts, of which those that recur have no numbers yet."""

    body: bytes
    client: bytes
    client_at: int
    file: LoggedFile
    verdicts: bytes | None = None
    verdicts_at: int | None = None

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What recurs of the bytes."""
        return (self.client,) if self.verdicts is None else (self.client, self.verdicts)

    def stored(self, numbers: Mapping[bytes, int], files: Mapping[LoggedFile, int]) -> Stored:
        """Return what is stored, given the numbers of the parts and files."""
        verdicts = None if self.verdicts is None else numbers[self.verdicts]
        return Stored(self.body, numbers[self.client], self.client_at, files[self.file], verdicts, self.verdicts_at)


def cut_out(rendered: Rendered) -> Cut:
    """Return canonical bytes in parts; what follows the parts in them may still be missing."""
    body, client, verdicts, texts = rendered
    file = LoggedFile.of(texts)
    body, client_at = _without(client, body)
    if len(verdicts) < SHORTEST or verdicts not in body:
        return Cut(body, client, client_at, file)
    body, verdicts_at = _without(verdicts, body)
    return Cut(body, client, client_at, file, verdicts, verdicts_at)


@lru_cache(4 * RECURRING)
def file_digest(file: LoggedFile) -> bytes:
    """Return what a file is found by among those that are stored."""
    return sha256(canonical_part(file)).digest()


def _without(part: bytes, body: bytes) -> tuple[bytes, int]:
    place = body.index(part)
    return body[:place] + body[place + len(part) :], place


def numbers_of(database: sqlite_utils.Database, parts: Iterable[bytes]) -> dict[bytes, int]:
    """Return the numbers of parts, which are stored in the transaction that is open unless they are there already."""
    numbers = _numbers(database, "audit_part", ("text",), {_digest(part): (part,) for part in parts})
    return {part: number for (part,), number in numbers.items()}


def file_numbers(database: sqlite_utils.Database, files: Iterable[LoggedFile]) -> dict[LoggedFile, int]:
    """Return the numbers of files, which are stored in the transaction that is open unless they are there already."""
    return _numbers(database, "audit_file", LoggedFile._fields, {file_digest(file): file for file in files})


def _numbers(
    database: sqlite_utils.Database, table: str, columns: Sequence[str], rows: Mapping[bytes, Row]
) -> dict[Row, int]:
    """Return the numbers of a table's rows, given by digest, storing those that are not there."""
    numbers = {rows[digest]: number for digest, number in numbers_by_digest(database, table, rows)}
    marks = ", ?" * len(columns)
    sql = f"INSERT INTO {table} (digest, {', '.join(columns)}) VALUES (?{marks}) RETURNING id"  # noqa: S608 - our own names
    for digest, row in rows.items():
        if row not in numbers:
            (numbers[row],) = database.execute(sql, [digest, *row]).fetchone()
    return numbers


def numbers_by_digest(
    database: sqlite_utils.Database, table: str, digests: Iterable[bytes]
) -> Iterator[tuple[bytes, int]]:
    """Yield the digests of those rows of a table that are there, with the rows' numbers."""
    rest = iter(digests)
    while some := list(islice(rest, _AT_ONCE)):
        some += [b""] * (_AT_ONCE - len(some))
        yield from database.execute(f"SELECT digest, id FROM {table} WHERE digest IN ({_MARKS})", some).fetchall()  # noqa: S608 - our own names


# Once looked for, a part is likely to be looked for again.
_digest = lru_cache(4 * RECURRING)(lambda part: sha256(part).digest())
