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
from typing import Any, NamedTuple

import msgspec
import sqlite_utils

from pinfold.adapters.filesystem.journal import Found, Journal, found, framed
from pinfold.adapters.sqlite import audit_places
from pinfold.adapters.sqlite.audit_append import Brief, Draft, Sources, append_all
from pinfold.adapters.sqlite.audit_parts import LoggedClient, LoggedTemplate
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """An entry in brief, with what it refers to and no earlier record that was written with it does."""

    entry: Brief
    template: LoggedTemplate | None = None
    client: LoggedClient | None = None
    evidence: bytes | None = None
    """As JSON, whose digest it has: in the first record of a journal that refers to it."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


def folder_of(ledger: Path) -> Path:
    """Return where the journals of a ledger are."""
    return ledger.with_name("journal")


class EntryJournal:
    """A journal of entries, with each piece of evidence once, and templates and clients once for what came at once."""

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
    def reach(self) -> int:
        """Bytes that nobody can have taken up more of: `size`, and what is being written."""
        return self._journal.reach

    @property
    def is_full(self) -> bool:
        """Whether another journal should follow it."""
        return self._journal.is_full

    def encode(self, entries: Iterable[tuple[Draft, Evidence | None]]) -> bytes:
        """Return what is to be appended next, of some entries."""
        told: set[bytes] = set()
        return framed(self._record(draft, evidence, told) for draft, evidence in entries)

    def append(self, encoded: bytes) -> None:
        """Append what `encode` returned, and return once it is durable; blocking.

        After a StoreError, here or there, it takes no more.
        """
        self._journal.append(encoded)

    def close(self) -> None:
        """Leave the journal to whoever takes up what it holds."""
        self._journal.close()

    def _record(self, draft: Draft, evidence: Evidence | None, told: set[bytes]) -> bytes:
        entry = draft.brief
        template = None if entry.template in told else draft.template
        client = None if entry.client in told else draft.client
        told |= {entry.template, entry.client}
        if evidence is None or entry.evidence is None or entry.evidence in self._evidence:
            return _encode(_Record(entry, template, client))
        self._evidence.add(entry.evidence)
        return _encode(_Record(entry, template, client, evidence.canonical()))


class Durable(NamedTuple):
    """What is known to be on the disk: all of a journal up to a place."""

    journal: EntryJournal
    end: int

    def is_taken_up(self, database: sqlite_utils.Database) -> bool:
        """Tell whether the audit log has it; raises StoreError where it claims more than was written."""
        path = self.journal.path
        taken_up = audit_places.taken_up(database, path.name)
        # Read after what it is compared with, which may only have been less.
        if taken_up > self.journal.reach:
            raise StoreError(
                f"the ledger claims entries that were never in {path}: look at who may write there, restore it from a "
                "backup, and restart Pinfold"
            )
        return taken_up >= self.end


async def settle(ledger: Database) -> bool:
    """Have the audit log take up whatever any process recorded by now, and tell whether that was anything.

    Raises StoreError.
    """
    folder = folder_of(ledger.path)
    if waiting := await ledger.read(lambda database: is_anything_waiting(database, folder)):
        await hand_over(ledger)
    return waiting


async def is_taken_up(ledger: Database, durable: Durable) -> bool:
    """Tell whether the audit log has what a journal holds up to a place, and all before it; raises StoreError."""

    def work(database: sqlite_utils.Database) -> bool:
        audit_places.check(database)
        return durable.is_taken_up(database)

    return await ledger.read(work)


async def hand_over(ledger: Database, durable: Durable | None = None) -> None:
    """Change nothing: whatever a change is, what journals hold is taken up before it.

    Raises StoreError, also where of one journal less was taken up than is known to be `durable`, or more than there is.
    """

    def work(database: sqlite_utils.Database) -> None:
        if durable is not None and not durable.is_taken_up(database):
            raise StoreError(
                f"{durable.journal.path} lost entries that were durable: look at the disk's health and at who may "
                "write there, and restart Pinfold"
            )

    await ledger.write(work)


def is_anything_waiting(database: sqlite_utils.Database, folder: Path) -> bool:
    """Tell whether journals hold what is not in the audit log yet; raises StoreError."""
    audit_places.check(database)
    return any(any(journal.records(audit_places.taken_up(database, journal.path.name))) for journal in found(folder))


async def how_many_wait(ledger: Database) -> int:
    """Return how many entries journals hold that the audit log does not have, by its own account; raises StoreError."""
    folder = folder_of(ledger.path)

    def work(database: sqlite_utils.Database) -> int:
        waiting = (journal.records(audit_places.taken_up(database, journal.path.name)) for journal in found(folder))
        return sum(1 for _ in chain.from_iterable(waiting))

    return await ledger.read(work)


def take_up(database: sqlite_utils.Database, folder: Path) -> list[bytes]:
    """Append what journals hold to the audit log, in the transaction that is open, and remove those that are done with.

    Returns the hashes of the entries in the log's tree. Raises StoreError where a record cannot be read, or somebody
    changed how far journals were taken up.
    """
    audit_places.check(database)
    taken = {journal.path.name: _take(database, journal) for journal in found(folder)}
    records = taken.values()
    if not any(records):
        return []
    audit_places.note_gone(database, taken)
    content = _Content(folder, chain(*records))
    # Each journal is in order; among them, time is what there is to go by.
    entries = [record.entry for record in merge(*records, key=attrgetter("entry.time"))]
    return append_all(database, entries, Sources(content.template, content.client, content.evidence)).leaves


class _Content:
    """What records refer to, by digest: as a rule they have it themselves, unless the ledger has it."""

    def __init__(self, folder: Path, records: Iterable[_Record]) -> None:
        self._folder = folder
        self._found: dict[bytes | str, Any] = {}
        self._note(records)

    def template(self, digest: bytes) -> LoggedTemplate:
        """Return a template."""
        template: LoggedTemplate = self._get(digest)
        return template

    def client(self, digest: bytes) -> LoggedClient:
        """Return a client."""
        client: LoggedClient = self._get(digest)
        return client

    def evidence(self, digest: str) -> object:
        """Return evidence as plain data."""
        return json.loads(self._get(digest))

    def _get(self, digest: bytes | str) -> Any:
        if digest not in self._found:
            # The ledger had it, and was pruned.
            for journal in found(self._folder):
                self._note(record for record, _ in _records(journal, 0))
        try:
            return self._found[digest]
        except KeyError:
            raise StoreError(
                "no journal has all that its entries refer to, nor has the ledger: restore it from a backup"
            ) from None

    def _note(self, records: Iterable[_Record]) -> None:
        for record in records:
            if record.template is not None:
                self._found[record.template.digest] = record.template
            if record.client is not None:
                self._found[record.client.digest] = record.client
            if record.evidence is not None and record.entry.evidence is not None:
                self._found[record.entry.evidence] = record.evidence


def _take(database: sqlite_utils.Database, journal: Found) -> list[_Record]:
    """Return the records that a journal holds, and note that they are taken up; remove it where it is done with."""
    end = audit_places.taken_up(database, journal.path.name)
    records = []
    for record, after in _records(journal, end):
        records.append(record)
        end = after
    if records:
        audit_places.note(database, journal.path.name, end)
    elif journal.is_left_behind:
        # That all of it is taken up was committed before.
        journal.remove(end)
    return records


def _records(journal: Found, begin: int) -> Iterator[tuple[_Record, int]]:
    for record, end in journal.records(begin):
        try:
            yield _decode(record), end
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{journal.path} holds audit entries that this Pinfold cannot read: {error}; start the version that "
                "wrote them once"
            ) from error
