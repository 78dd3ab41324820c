"""The audit log in SQLite."""

import json
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_queue import AppendQueue
from pinfold.adapters.sqlite.audit_search import concerning, matching
from pinfold.adapters.sqlite.audit_shared import versions
from pinfold.adapters.sqlite.audit_tally import TallyReader, spans
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.adapters.sqlite.evidence import KeptEvidence
from pinfold.audit.canonical import from_canonical, rfc3339
from pinfold.domain.audit_entry import Entry, Recorded
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence
from pinfold.domain.target import Target
from pinfold.ports.audit_log import AuditQuery, Tally

T = TypeVar("T")

PORTION = 1_000
"""Entries that are read at once: few enough for a server to go through between two requests."""


class SqliteAuditLog:
    """The audit log in the ledger's file, with the evidence that its entries refer to."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._queue = AppendQueue(ledger)
        self._evidence = KeptEvidence(ledger)

    async def append(self, entry: Entry, evidence: Evidence | None = None) -> int:
        """Append an entry and return its number, once it is durable, and with it the evidence that it refers to."""
        return await self._queue.append(Draft.of(entry, evidence))

    async def evidence(self, digests: Collection[str]) -> dict[str, Evidence]:
        """Return what is kept of some digests; raises StoreError where it is damaged."""
        return await self._evidence.of(digests)

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

    async def tallies(self, target: Target) -> AsyncIterator[Sequence[Tally]]:
        """Yield the requests for what a target means, counted, in portions that do not take long."""
        reader = TallyReader()
        for span in await self._read(partial(spans, target=target)):
            yield await self._read(partial(reader.read, span=span))

    async def since(self, moment: datetime) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries from a moment on, in order, in portions that fit into memory."""
        last = await self._read(partial(_before, moment=rfc3339(moment)))
        while portion := await self._read(partial(_following, last=last)):
            last = portion[-1].seq
            yield [recorded for recorded in portion if recorded.entry.time >= moment]

    async def versions(self, project: str) -> set[str]:
        """Return the versions of a project that entries name."""
        return await self._read(partial(versions, project=project))

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} is damaged: {error}; restore it from a backup") from error


def _entries(database: sqlite_utils.Database, numbers: Sequence[int]) -> list[Recorded]:
    """Return entries by their numbers, in the order of these."""
    rows = database.execute(
        "SELECT body FROM json_each(?) AS wanted JOIN audit_entry ON seq = wanted.value ORDER BY wanted.key",
        [json.dumps(numbers)],
    )
    return [from_canonical(body) for (body,) in rows]


def _before(database: sqlite_utils.Database, moment: str) -> int:
    """Return the number after which the first entry follows that a moment or a later one saw."""
    (first,) = database.execute("SELECT min(seq) FROM audit INDEXED BY audit_time WHERE time >= ?", [moment]).fetchone()
    # Where nothing was seen since, nothing follows the last entry.
    return first - 1 if first else sys.maxsize


def _following(database: sqlite_utils.Database, last: int) -> list[Recorded]:
    rows = database.execute("SELECT body FROM audit_entry WHERE seq > ? ORDER BY seq LIMIT ?", [last, PORTION])
    return [from_canonical(body) for (body,) in rows]
