"""What goes to journals before it is in the ledger's audit log, and how it gets there.

A change of the ledger costs more than a millisecond, however small it is, and all processes wait for each other's. So
entries are made durable in a journal, and taken up together, each once, by the next change that any process makes. How
far a journal is taken up is written in the transaction that does so.
"""

import json
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import chain
from operator import attrgetter
from pathlib import Path

import msgspec
import sqlite_utils

from pinfold.adapters.filesystem.journal import Found, Journal, found, framed
from pinfold.adapters.sqlite.audit_append import Draft, append_all
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence


class _Record(msgspec.Struct, array_like=True, frozen=True):
    draft: Draft
    evidence: bytes | None = None
    """What the draft refers to, in the first record of a journal that does so: as JSON, whose digest it has."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


def folder_of(ledger: Path) -> Path:
    """Return where the journals of a ledger are."""
    return ledger.with_name("journal")


class EntryJournal:
    """A journal of entries, with each piece of evidence once."""

    def __init__(self, ledger: Path) -> None:
        """Begin a journal; blocking. Raises StoreError."""
        self._journal = Journal(folder_of(ledger))
        self._evidence: set[str] = set()

    @property
    def path(self) -> Path:
        """Where it is, until all of it is taken up."""
        return self._journal.path

    @property
    def size(self) -> int:
        """Bytes that are written."""
        return self._journal.size

    @property
    def is_full(self) -> bool:
        """Whether another journal should follow it."""
        return self._journal.is_full

    def encode(self, entries: Iterable[tuple[Draft, Evidence | None]]) -> bytes:
        """Return what is to be appended next, of some entries."""
        return framed(self._record(draft, evidence) for draft, evidence in entries)

    def append(self, encoded: bytes) -> None:
        """Append what `encode` returned, and return once it is durable; blocking.

        After a StoreError, here or there, it takes no more.
        """
        self._journal.append(encoded)

    def close(self) -> None:
        """Leave the journal to whoever takes up what it holds."""
        self._journal.close()

    def _record(self, draft: Draft, evidence: Evidence | None) -> bytes:
        if evidence is None or draft.evidence is None or draft.evidence in self._evidence:
            return _encode(_Record(draft))
        self._evidence.add(draft.evidence)
        return _encode(_Record(draft, evidence.canonical()))


async def settle(ledger: Database) -> None:
    """Have the audit log take up whatever any process recorded by now; raises StoreError."""
    folder = folder_of(ledger.path)
    if await ledger.read(lambda database: is_anything_waiting(database, folder)):
        await hand_over(ledger)


async def hand_over(ledger: Database, durable: tuple[Path, int] | None = None) -> None:
    """Change nothing: whatever a change is, what journals hold is taken up before it.

    Raises StoreError, also where of one journal less was taken up than is known to be `durable`.
    """

    def work(database: sqlite_utils.Database) -> None:
        if durable is not None and _taken_up(database, durable[0]) < durable[1]:
            raise StoreError(
                f"{durable[0]} lost entries that were durable: look at the disk's health and at who may write there, "
                "and restart Pinfold"
            )

    await ledger.write(work)


def is_anything_waiting(database: sqlite_utils.Database, folder: Path) -> bool:
    """Tell whether journals hold what is not in the audit log yet; raises StoreError."""
    return any(any(journal.records(_taken_up(database, journal.path))) for journal in found(folder))


def take_up(database: sqlite_utils.Database, folder: Path) -> None:
    """Append what journals hold to the audit log, in the transaction that is open, and remove those that are done with.

    Raises StoreError where a record cannot be read.
    """
    records = [_take(database, journal) for journal in found(folder)]
    if not any(records):
        return
    evidence = {record.draft.evidence: record.evidence for record in chain(*records) if record.evidence is not None}
    append_all(
        database,
        # Each journal is in order; among them, time is what there is to go by.
        [record.draft for record in merge(*records, key=attrgetter("draft.time"))],
        lambda digest: json.loads(evidence.get(digest) or _evidence(folder, digest)),
    )


def _take(database: sqlite_utils.Database, journal: Found) -> list[_Record]:
    """Return the records that a journal holds, and note that they are taken up; remove it where it is done with."""
    begin = end = _taken_up(database, journal.path)
    records = []
    for record, after in _records(journal, begin):
        records.append(record)
        end = after
    if records:
        database.execute("REPLACE INTO audit_journal VALUES (?, ?)", [journal.path.name, end])
    elif journal.is_left_behind:
        # That all of it is taken up was committed before.
        journal.remove(end)
    return records


def _taken_up(database: sqlite_utils.Database, journal: Path) -> int:
    """Return how many of a journal's bytes are in the audit log."""
    row = database.execute("SELECT taken_up FROM audit_journal WHERE name = ?", [journal.name]).fetchone()
    return row[0] if row else 0


def _records(journal: Found, begin: int) -> Iterator[tuple[_Record, int]]:
    for record, end in journal.records(begin):
        try:
            yield _decode(record), end
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{journal.path} holds audit entries that this Pinfold cannot read: {error}; start the version that "
                "wrote them once"
            ) from error


def _evidence(folder: Path, digest: str) -> bytes:
    """Return evidence that an earlier record has, and the ledger not any more, since it was pruned."""
    for journal in found(folder):
        for record, _ in _records(journal, 0):
            if record.draft.evidence == digest and record.evidence is not None:
                return record.evidence
    raise StoreError(f"no journal has the evidence {digest[:12]} of its entries: restore the ledger from a backup")
