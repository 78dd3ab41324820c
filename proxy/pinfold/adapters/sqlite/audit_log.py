"""The audit log in SQLite."""

import json
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import settle
from pinfold.adapters.sqlite.audit_recorder import Recorder
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
from pinfold.ports.audit_log import AuditQuery, Backlog, Tally

T = TypeVar("T")

PORTION = 1_000
"""Entries that are read at once: few enough for a server to go through between two requests."""
NUMBER_OF = (
    "SELECT seq FROM audit INDEXED BY audit_time WHERE time = ? "
    "AND template = (SELECT id FROM audit_template WHERE digest = ?) "
    "AND client = (SELECT id FROM audit_client WHERE digest = ?) "
    "AND evidence IS (SELECT id FROM evidence WHERE digest = ?) ORDER BY seq LIMIT 1"
)
"""A client may have a million entries, and few are of one moment."""


class SqliteAuditLog:
    """The audit log in the ledger's file, with the evidence that its entries refer to."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._recorder = Recorder(ledger)
        self._evidence = KeptEvidence(ledger)

    @property
    def backlog(self) -> Backlog:
        """What this process appended that the ledger does not have yet."""
        return self._recorder.backlog

    async def append(self, entry: Entry, evidence: Evidence | None = None) -> "_Appended":
        """Append an entry, with the evidence that it refers to, and return once that is durable."""
        return await self.append_draft(Draft.of(entry, with_evidence=evidence is not None), evidence)

    async def append_draft(self, draft: Draft, evidence: Evidence | None) -> "_Appended":
        """Append an entry that is on its way already, and return once it is durable; raises StoreError."""
        await self._recorder.record(draft, evidence)
        return _Appended(self, draft, evidence)

    async def evidence(self, digests: Collection[str]) -> dict[str, Evidence]:
        """Return what is kept of some digests; raises StoreError where it is damaged."""
        await settle(self._ledger)
        return await self._evidence.of(digests)

    async def search(self, query: AuditQuery) -> list[Recorded]:
        """Return the entries that a query matches."""
        await settle(self._ledger)
        return await self._read(lambda database: _entries(database, matching(database, query)))

    async def concerning(self, target: Target) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries that name what a target means, newest first, in portions that fit into memory."""
        await settle(self._ledger)
        numbers = await self._read(lambda database: concerning(database, target))
        for first in range(0, len(numbers), PORTION):
            # Each portion is a read of its own: a long one would keep the write-ahead log from being emptied.
            portion = numbers[first : first + PORTION]
            yield await self._read(partial(_entries, numbers=portion))

    async def tallies(self, target: Target) -> AsyncIterator[Sequence[Tally]]:
        """Yield the requests for what a target means, counted, in portions that do not take long."""
        await settle(self._ledger)
        reader = TallyReader()
        for span in await self._read(partial(spans, target=target)):
            yield await self._read(partial(reader.read, span=span))

    async def since(self, moment: datetime) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries from a moment on, in order, in portions that fit into memory."""
        await settle(self._ledger)
        last = await self._read(partial(_before, moment=rfc3339(moment)))
        while portion := await self._read(partial(_following, last=last)):
            last = portion[-1].seq
            yield [recorded for recorded in portion if recorded.entry.time >= moment]

    async def versions(self, project: str) -> set[str]:
        """Return the versions of a project that entries name."""
        await settle(self._ledger)
        return await self._read(partial(versions, project=project))

    async def number_of(self, draft: Draft) -> int:
        """Return the number of an entry that was appended; the first, where entries are the same to the microsecond."""
        await settle(self._ledger)
        return await self._read(partial(_number_of, draft=draft))

    async def close(self) -> None:
        """Take no more entries, and have those in the ledger that were appended; raises StoreError."""
        await self._recorder.close()

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} is damaged: {error}; restore it from a backup") from error


class _Appended:
    """An entry that is durable, and has its number as soon as that is asked for."""

    def __init__(self, log: SqliteAuditLog, draft: Draft, evidence: Evidence | None) -> None:
        self._log = log
        self._draft = draft
        self._evidence = evidence

    async def number(self) -> int:
        """Return the entry's place in the log."""
        return await self._log.number_of(self._draft)

    async def again(self, moment: datetime) -> "_Appended":
        """Append the same entry once more, of another moment, and return once that is durable."""
        return await self._log.append_draft(self._draft.at(moment), self._evidence)


def _number_of(database: sqlite_utils.Database, draft: Draft) -> int:
    digest = None if draft.evidence is None else bytes.fromhex(draft.evidence)
    row = database.execute(NUMBER_OF, [draft.time, draft.template.digest, draft.client.digest, digest]).fetchone()
    if row is None:
        raise StoreError("the audit log lost an entry that was just appended: pinfold audit verify tells more")
    return int(row[0])


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
