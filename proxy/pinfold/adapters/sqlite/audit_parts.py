"""Clients, files and sets of verdicts recur from request to request: each is stored once, and referred to by number.

Clients and verdicts are cut out of the entries' bytes. The view `audit_entry` puts them back where they were, so that
what is hashed, signed, exported and read are the canonical bytes, whole. Nothing has to be believed of them: a wrong
one makes wrong bytes of every entry that it is put into. What is said of files, and of clients beside their bytes, are
copies, as columns are. Entries are searched and counted by them: an entry has one place among those of its file, where
it would have one by project, one by file name, one by hash, and one among those of its client.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import NamedTuple, Self

import sqlite_utils

from pinfold.audit.canonical import RECURRING, Rendered, canonical_part, kept_text
from pinfold.domain.audit_entry import Actor, Entry

SHORTEST = 40
"""Bytes of a set of verdicts; to refer to one costs some itself."""
_AT_ONCE = 16
"""Rows that one statement looks for; a statement for each number of them would be prepared again and again."""
_MARKS = ", ".join("?" * _AT_ONCE)


class LoggedClient(NamedTuple):
    """A client as it is within an entry's bytes, and what it is searched by."""

    text: bytes
    actor: str
    address: str | None

    @classmethod
    def of(cls, actor: Actor, text: bytes) -> Self:
        """Return a client, given its bytes."""
        return cls(text, kept_text(actor.name), None if actor.address is None else kept_text(actor.address))


class LoggedFile(NamedTuple):
    """What an entry says of the file, release or project that it is about; None throughout where it is about none."""

    project: str | None
    version: str | None
    filename: str | None
    sha256: str | None

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Self:
        """Return what an entry says, given its texts as the log keeps them."""
        return cls(*map(texts.get, cls._fields))


class LoggedVerdicts(NamedTuple):
    """A set of verdicts as it is within an entry's bytes."""

    text: bytes


Part = LoggedClient | LoggedFile | LoggedVerdicts
_TABLES: Mapping[type[Part], str] = {
    LoggedClient: "audit_client",
    LoggedFile: "audit_file",
    LoggedVerdicts: "audit_verdicts",
}


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
    client: LoggedClient
    client_at: int
    file: LoggedFile
    verdicts: LoggedVerdicts | None = None
    verdicts_at: int | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """What recurs."""
        return (self.client, self.file) if self.verdicts is None else (self.client, self.file, self.verdicts)

    def stored(self, numbers: Mapping[Part, int]) -> Stored:
        """Return what is stored, given the numbers of the parts."""
        verdicts = None if self.verdicts is None else numbers[self.verdicts]
        return Stored(self.body, numbers[self.client], self.client_at, numbers[self.file], verdicts, self.verdicts_at)


def cut_out(rendered: Rendered, entry: Entry) -> Cut:
    """Return canonical bytes in parts; what follows the parts in them may still be missing."""
    body, actor, verdicts, texts = rendered
    client, file = LoggedClient.of(entry.actor, actor), LoggedFile.of(texts)
    body, client_at = _without(actor, body)
    if len(verdicts) < SHORTEST or verdicts not in body:
        return Cut(body, client, client_at, file)
    body, verdicts_at = _without(verdicts, body)
    return Cut(body, client, client_at, file, LoggedVerdicts(verdicts), verdicts_at)


@lru_cache(4 * RECURRING)
def digest_of(part: Part) -> bytes:
    """Return what a part is found by. Once looked for, it is likely to be looked for again."""
    return sha256(canonical_part(part) if isinstance(part, LoggedFile) else part.text).digest()


def _without(part: bytes, body: bytes) -> tuple[bytes, int]:
    place = body.index(part)
    return body[:place] + body[place + len(part) :], place


def numbers_of(database: sqlite_utils.Database, parts: Iterable[Part]) -> dict[Part, int]:
    """Return the numbers of parts, which are stored in the transaction that is open unless they are there already."""
    wanted: Mapping[type[Part], dict[bytes, Part]] = {kind: {} for kind in _TABLES}
    for part in parts:
        wanted[type(part)][digest_of(part)] = part
    numbers: dict[Part, int] = {}
    for kind, table in _TABLES.items():
        rows = wanted[kind]
        numbers |= {rows[digest]: number for digest, number in numbers_by_digest(database, table, rows)}
        columns = ("digest", *kind._fields)
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) RETURNING id"  # noqa: S608 - our own names
        for digest, part in rows.items():
            if part not in numbers:
                (numbers[part],) = database.execute(sql, [digest, *part]).fetchone()
    return numbers


def numbers_by_digest(
    database: sqlite_utils.Database, table: str, digests: Iterable[bytes]
) -> Iterator[tuple[bytes, int]]:
    """Yield the digests of those rows of a table that are there, with the rows' numbers."""
    rest = iter(digests)
    while some := list(islice(rest, _AT_ONCE)):
        some += [b""] * (_AT_ONCE - len(some))
        yield from database.execute(f"SELECT digest, id FROM {table} WHERE digest IN ({_MARKS})", some).fetchall()  # noqa: S608 - our own names
