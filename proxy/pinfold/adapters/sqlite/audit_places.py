"""How far journals were taken up: what the ledger says of that, and its checkpoints vouch for.

Nothing else would tell of entries that were passed over because somebody had set a place further. What is said of
journals that are there is signed as a whole. What was said last of those that are gone stays, so that a journal which
comes back, from a backup or after the loss of power, is not taken up twice. It forms a chain: each row has the hash of
itself and of all before it, and that of the last one is signed with the rest, at the same cost however many there are.
"""

import json
from collections.abc import Collection
from hashlib import sha256

import sqlite_utils

from pinfold.audit.checkpoint import read_checkpoint
from pinfold.domain.errors import InvalidNote, StoreError

_LINE = "journals "
_LAST_HEAD = "SELECT head FROM audit_journal_gone ORDER BY number DESC LIMIT 1"


def extensions(database: sqlite_utils.Database) -> tuple[str, ...]:
    """Return the lines of a checkpoint that vouch for all places."""
    rows = database.execute("SELECT name, taken_up FROM audit_journal ORDER BY name").fetchall()
    return (f"{_LINE}{_hash(_head(database), rows).hex()}",)


def are_signed(database: sqlite_utils.Database, note: bytes, *, gone_too: bool) -> bool:
    """Tell whether a checkpoint, which is the latest, vouches for the places of all journals that are there.

    One that an earlier version signed lets any pass. To look at journals that are gone takes as long as there are many.
    """
    try:
        lines = tuple(line for line in read_checkpoint(note).extensions if line.startswith(_LINE))
    except InvalidNote:
        return False
    return not lines or (lines == extensions(database) and (not gone_too or _is_chain(database)))


def check(database: sqlite_utils.Database) -> None:
    """Raise StoreError unless the latest checkpoint vouches for the places of all journals that are there."""
    latest = database.execute("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    if latest is not None and not are_signed(database, *latest, gone_too=False):
        raise _changed()


def taken_up(database: sqlite_utils.Database, name: str) -> int:
    """Return how many of a journal's bytes are in the audit log; raises StoreError where that was tampered with."""
    there = database.execute("SELECT taken_up FROM audit_journal WHERE name = ?", [name]).fetchone()
    if there is not None:
        return int(there[0])
    sql = "SELECT taken_up FROM audit_journal_gone WHERE name = ? ORDER BY number DESC LIMIT 1"
    gone = database.execute(sql, [name]).fetchone()
    if gone is not None and not _is_chain(database):
        raise _changed()
    return int(gone[0]) if gone else 0


def note(database: sqlite_utils.Database, name: str, place: int) -> None:
    """Note that a journal is taken up to a place."""
    database.execute("REPLACE INTO audit_journal VALUES (?, ?)", [name, place])


def note_gone(database: sqlite_utils.Database, there: Collection[str]) -> None:
    """Note which journals are gone: all but those that are there."""
    head = _head(database)
    for name, place in database.execute("SELECT name, taken_up FROM audit_journal ORDER BY name").fetchall():
        if name not in there:
            head = _hash(head, [name, place])
            database.execute("DELETE FROM audit_journal WHERE name = ?", [name])
            database.execute(
                "INSERT INTO audit_journal_gone (name, taken_up, head) VALUES (?, ?, ?)", [name, place, head]
            )


def _head(database: sqlite_utils.Database) -> bytes:
    (head,) = database.execute(_LAST_HEAD).fetchone() or (b"",)
    return bytes(head)


def _is_chain(database: sqlite_utils.Database) -> bool:
    head = b""
    for name, place, stated in database.execute("SELECT name, taken_up, head FROM audit_journal_gone ORDER BY number"):
        head = _hash(head, [name, place])
        if head != stated:
            return False
    return True


def _hash(head: bytes, told: object) -> bytes:
    return sha256(json.dumps([head.hex(), told]).encode()).digest()


def _changed() -> StoreError:
    return StoreError(
        "what the ledger says of journals is not what was signed, as if their entries were to be passed over or taken "
        "up twice: look at who may write there, and restore it from a backup"
    )
