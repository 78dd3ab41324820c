"""Clients, files and sets of verdicts recur from request to request: each is stored once, and referred to by number.

Clients and verdicts are cut out of the entries' bytes. The view `audit_entry` puts them back where they were, so that
what is hashed, signed, exported and read are the canonical bytes, whole. Nothing has to be believed of them: a wrong
one makes wrong bytes of every entry that it is put into. Files, by which requests are counted, are copies, as columns
are.
"""

from hashlib import sha256
from typing import NamedTuple

import sqlite_utils

from pinfold.audit.canonical import Rendered, canonical_part
from pinfold.domain.audit_entry import Entry

SHORTEST = 40
"""Bytes of a set of verdicts; to refer to one costs some itself."""


class Stored(NamedTuple):
    """What is stored of an entry's canonical bytes: less the client and, after it, the verdicts, with their places."""

    body: bytes
    client: int
    client_at: int
    file: int
    verdicts: int | None = None
    verdicts_at: int | None = None


STORED = ", ".join(Stored._fields)


def cut_out(database: sqlite_utils.Database, rendered: Rendered, entry: Entry) -> Stored:
    """Return what is to be stored of canonical bytes, with new parts stored in the transaction that is open."""
    body, client, verdicts = rendered
    body, client_at = _without(client, body)
    stored = Stored(body, number_of(database, client), client_at, number_of(database, file_part(entry)))
    if len(verdicts) < SHORTEST or verdicts not in body:
        return stored
    body, verdicts_at = _without(verdicts, body)
    return stored._replace(body=body, verdicts=number_of(database, verdicts), verdicts_at=verdicts_at)


def file_part(entry: Entry) -> bytes:
    """Return the bytes that say which file of which index an entry is about."""
    return canonical_part((entry.index, entry.project, entry.version, entry.filename, entry.sha256))


def _without(part: bytes, body: bytes) -> tuple[bytes, int]:
    place = body.index(part)
    return body[:place] + body[place + len(part) :], place


def number_of(database: sqlite_utils.Database, part: bytes) -> int:
    """Return the number of a part, which is stored in the transaction that is open unless it is there already."""
    digest = sha256(part).digest()
    known = database.execute("SELECT id FROM audit_part WHERE digest = ?", [digest]).fetchone()
    if known is None:
        sql = "INSERT INTO audit_part (digest, text) VALUES (?, ?) RETURNING id"
        known = database.execute(sql, [digest, part]).fetchone()
    return int(known[0])
