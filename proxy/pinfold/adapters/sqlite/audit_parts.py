"""Clients, files and sets of verdicts recur from request to request: each is stored once, and referred to by number.

Clients and verdicts are cut out of the entries' bytes. The view `audit_entry` puts them back where they were, so that
what is hashed, signed, exported and read are the canonical bytes, whole. Nothing has to be believed of them: a wrong
one makes wrong bytes of every entry that it is put into. Files, by which requests are counted, are copies, as columns
are.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

import sqlite_utils

from pinfold.audit.canonical import RECURRING, Rendered, canonical_part
from pinfold.domain.audit_entry import Entry

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
    file: bytes
    verdicts: bytes | None = None
    verdicts_at: int | None = None

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What recurs."""
        return (self.client, self.file) if self.verdicts is None else (self.client, self.file, self.verdicts)

    def stored(self, numbers: Mapping[bytes, int]) -> Stored:
        """Return what is stored, given the numbers of the parts."""
        verdicts = None if self.verdicts is None else numbers[self.verdicts]
        return Stored(self.body, numbers[self.client], self.client_at, numbers[self.file], verdicts, self.verdicts_at)


def cut_out(rendered: Rendered, entry: Entry) -> Cut:
    """Return canonical bytes in parts; what follows the parts in them may still be missing."""
    body, client, verdicts, _ = rendered
    body, client_at = _without(client, body)
    if len(verdicts) < SHORTEST or verdicts not in body:
        return Cut(body, client, client_at, file_part(entry))
    body, verdicts_at = _without(verdicts, body)
    return Cut(body, client, client_at, file_part(entry), verdicts, verdicts_at)


def file_part(entry: Entry) -> bytes:
    """Return the bytes that say which file of which index an entry is about."""
    return _file_part((entry.index, entry.project, entry.version, entry.filename, entry.sha256))


def _without(part: bytes, body: bytes) -> tuple[bytes, int]:
    place = body.index(part)
    return body[:place] + body[place + len(part) :], place


def numbers_of(database: sqlite_utils.Database, parts: Iterable[bytes]) -> dict[bytes, int]:
    """Return the numbers of parts, which are stored in the transaction that is open unless they are there already."""
    wanted = {_digest(part): part for part in parts}
    numbers = {wanted[digest]: number for digest, number in numbers_by_digest(database, "audit_part", wanted)}
    for digest, part in wanted.items():
        if part not in numbers:
            sql = "INSERT INTO audit_part (digest, text) VALUES (?, ?) RETURNING id"
            (numbers[part],) = database.execute(sql, [digest, part]).fetchone()
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
_file_part = lru_cache(4 * RECURRING)(canonical_part)
