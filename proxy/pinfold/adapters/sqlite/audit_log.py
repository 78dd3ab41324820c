"""The audit log in SQLite."""

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_search import concerning, matching, versions
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.audit.canonical import canonical_bytes, from_canonical, kept_text, rfc3339
from pinfold.domain.audit_entry import Entry, Recorded
from pinfold.domain.errors import StoreError
from pinfold.domain.target import Target
from pinfold.ports.audit_log import AuditQuery

T = TypeVar("T")

PORTION = 5_000
"""Entries that are read at once."""
_SEARCHED = ("index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
_INSERT = f"""
    INSERT INTO audit (seq, time, body, action, actor, address, {", ".join(f'"{name}"' for name in _SEARCHED)})
    VALUES ({", ".join("?" * (6 + len(_SEARCHED)))})
"""  # noqa: S608 - made of the names above


def append_entry(database: sqlite_utils.Database, entry: Entry) -> int:
    """Append an entry in the transaction that is open, and return its number."""
    (seq,) = database.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
    body = canonical_bytes(seq, entry)
    texts = [entry.action, entry.actor.name, entry.actor.address, *(getattr(entry, name) for name in _SEARCHED)]
    database.execute(_INSERT, [seq, rfc3339(entry.time), body, *map(_kept, texts)])
    return int(seq)


class SqliteAuditLog:
    """The audit log in the ledger's file."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def append(self, entry: Entry) -> int:
        """Append an entry and return its number, once it is durable."""
        return await self._ledger.write(lambda database: append_entry(database, entry))

    async def search(self, query: AuditQuery) -> list[Recorded]:
        """Return the entries that a query matches."""
        return await self._read(lambda database: _entries(database, matching(database, query)))

    async def concerning(self, target: Target) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries that name what a target means, newest first, in portions that fit into memory."""
        numbers = await self._read(lambda database: concerning(database, target))
        for first in range(0, len(numbers), PORTION):
            # Each portion is a read of its own: a long one would keep the write-ahead log from being emptied.
            portion = numbers[first : first + PORTION]
            yield await self._read(partial(_entries, numbers=portion))

    async def versions(self, project: str) -> set[str]:
        """Return the versions of a project that entries name."""
        return {version for version in await self._read(partial(versions, project=project)) if version is not None}

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} is damaged: {error}; restore it from a backup") from error


def _entries(database: sqlite_utils.Database, numbers: Sequence[int]) -> list[Recorded]:
    """Return entries by their numbers, in the order of these."""
    rows = database.execute(
        "SELECT body FROM json_each(?) AS wanted JOIN audit ON audit.seq = wanted.value ORDER BY wanted.key",
        [json.dumps(numbers)],
    )
    return [from_canonical(body) for (body,) in rows]


def _kept(text: str | None) -> str | None:
    return None if text is None else kept_text(text)
