"""What recurs from request to request is stored once, and referred to by number: it is found by its digest.

An entry's canonical bytes are a template, into which its time, its client, and the digest of the evidence that is kept
with it are put. A template has its verdicts apart, which other templates have as well. The view `audit_entry` puts all
of it together, so that what is hashed, signed, exported and read are the canonical bytes, whole. Nothing has to be
believed of parts: a wrong one makes wrong bytes of every entry that it is put into. What else is said of templates and
clients are copies, by which entries are searched and counted: an entry has one place among those of its template, where
it would have one by project, one by file name, one by hash, and one among those of its client.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple, Self

import sqlite_utils

from pinfold.adapters.sqlite.audit_columns import QUOTED, column_values
from pinfold.audit.canonical import RECURRING, Mark, Rendered, kept_text
from pinfold.domain.audit_entry import Actor, Entry
from pinfold.domain.errors import StoreError

SHORTEST = 40
"""Bytes of a set of verdicts; to refer to one costs some itself."""
_AT_ONCE = 16
"""Rows that one statement looks for; a statement for each number of them would be prepared again and again."""
_MARKS = ", ".join("?" * _AT_ONCE)
_TEMPLATES = (
    "SELECT digest, id, text, (SELECT text FROM audit_verdicts WHERE id = audit_template.verdicts) FROM audit_template"
)


class LoggedClient(NamedTuple):
    """A client as it is within an entry's bytes, and what it is searched by."""

    digest: bytes
    text: bytes
    actor: str
    address: str | None

    @classmethod
    def of(cls, actor: Actor, text: bytes) -> Self:
        """Return a client, given its bytes."""
        address = None if actor.address is None else kept_text(actor.address)
        return cls(sha256(text).digest(), text, kept_text(actor.name), address)


class LoggedVerdicts(NamedTuple):
    """A set of verdicts as it is within an entry's bytes."""

    digest: bytes
    text: bytes

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Return a set of verdicts, given its bytes."""
        return cls(sha256(text).digest(), text)


class LoggedTemplate(NamedTuple):
    """An entry's canonical bytes up to its place in the log, without what differs from request to request."""

    digest: bytes
    """Of its text, and after that of its verdicts if they are apart."""
    text: bytes
    verdicts: LoggedVerdicts | None
    columns: tuple[str | int | None, ...]
    """What its entries are searched by."""

    @classmethod
    def of(cls, entry: Entry, rendered: Rendered, *, with_evidence: bool) -> Self:
        """Return the template of an entry, which refers to evidence that is kept, or says itself which one it was."""
        text, verdicts = rendered.template, None
        if not with_evidence:
            text = text.replace(Mark.EVIDENCE_DIGEST, rendered.evidence_digest)
        if len(rendered.verdicts) < SHORTEST:
            text = text.replace(Mark.VERDICTS, rendered.verdicts)
        elif Mark.VERDICTS in text:
            verdicts = _verdicts(rendered.verdicts)
        digest = template_digest(text, verdicts and verdicts.text)
        return cls(digest, text, verdicts, column_values(entry, rendered.texts))


# Both recur from request to request.
client_of = lru_cache(RECURRING)(LoggedClient.of)
_verdicts = lru_cache(RECURRING)(LoggedVerdicts.of)


def template_digest(text: bytes, verdicts: bytes | None) -> bytes:
    """Return what a template is found by."""
    return sha256(text + (verdicts or b"")).digest()


class Part(NamedTuple):
    """What is stored of a client, or of a template with its verdicts."""

    number: int
    text: bytes


def clients(
    database: sqlite_utils.Database, digests: Iterable[bytes], client: Callable[[bytes], LoggedClient]
) -> dict[bytes, Part]:
    """Return clients by digest; those that are not there are stored, as `client` returns them.

    Raises StoreError where one is damaged.
    """
    found = {}
    for digest, number, text in _rows(database, "SELECT digest, id, text FROM audit_client", digests):
        found[digest] = Part(number, text)
        _check(sha256(text).digest() == digest, "a client")
    for digest in digests:
        if digest not in found:
            one = client(digest)
            found[digest] = Part(_add(database, "audit_client (digest, text, actor, address)", one), one.text)
    return found


def templates(
    database: sqlite_utils.Database, digests: Iterable[bytes], template: Callable[[bytes], LoggedTemplate]
) -> dict[bytes, Part]:
    """Return templates by digest; those that are not there are stored, as `template` returns them.

    Raises StoreError where one is damaged.
    """
    found = {}
    for digest, number, text, verdicts in _rows(database, _TEMPLATES, digests):
        _check(template_digest(text, verdicts) == digest, "a template")
        found[digest] = Part(number, _with(text, verdicts))
    for digest in digests:
        if digest not in found:
            _, text, verdicts, columns = template(digest)
            number = None if verdicts is None else _verdicts_number(database, verdicts)
            row = (digest, text, number, *columns)
            number = _add(database, f"audit_template (digest, text, verdicts, {QUOTED})", row)
            found[digest] = Part(number, _with(text, verdicts and verdicts.text))
    return found


def numbers_by_digest(
    database: sqlite_utils.Database, table: str, digests: Iterable[bytes]
) -> Iterator[tuple[bytes, int]]:
    """Yield the digests of those rows of a table that are there, with the rows' numbers."""
    return _rows(database, f"SELECT digest, id FROM {table}", digests)  # noqa: S608 - our own names


def _rows(database: sqlite_utils.Database, select: str, digests: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    rest = iter(digests)
    while some := list(islice(rest, _AT_ONCE)):
        some += [b""] * (_AT_ONCE - len(some))
        yield from database.execute(f"{select} WHERE digest IN ({_MARKS})", some).fetchall()


def _add(database: sqlite_utils.Database, into: str, row: Sequence[object]) -> int:
    sql = f"INSERT INTO {into} VALUES ({', '.join('?' * len(row))}) RETURNING id"  # noqa: S608 - our own names
    (number,) = database.execute(sql, row).fetchone()
    return int(number)


def _verdicts_number(database: sqlite_utils.Database, verdicts: LoggedVerdicts) -> int:
    for _, number in numbers_by_digest(database, "audit_verdicts", [verdicts.digest]):
        return number
    return _add(database, "audit_verdicts (digest, text)", verdicts)


def _with(template: bytes, verdicts: bytes | None) -> bytes:
    return template if verdicts is None else template.replace(Mark.VERDICTS, verdicts)


def _check(fits: bool, what: str) -> None:  # noqa: FBT001
    if not fits:
        raise StoreError(
            f"the audit log has {what} that does not fit its digest, and takes no entry with it: pinfold audit verify "
            "tells what was changed; restore the ledger from a backup"
        )
