"""Quarantine records, waivers and publishers in SQLite, kept in memory for as long as nobody changes them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.adapters.sqlite.record_rows import (
    Row,
    closing_columns,
    publisher_row,
    read_publisher,
    read_record,
    read_waiver,
    record_row,
    waiver_row,
)
from pinfold.audit.canonical import rfc3339
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import NotFound, StoreError
from pinfold.domain.records import PublisherRecord, QuarantineRecord, Records, Waiver
from pinfold.ports.clock import Clock
from pinfold.usecases.kept import Kept

T = TypeVar("T")


class SqliteRecordStore:
    """The records in the ledger's file, beside the audit log that each change of them is entered in."""

    def __init__(self, ledger: Database, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._kept = Kept(self._look, Records(revision=-1), self._ledger.present)

    async def current(self) -> Records:
        """Return all that is in force; without a look at the file where one was taken just now."""
        return await self._kept.current()

    async def add_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        """Add a record."""
        await self._change(lambda database: _insert(database, "quarantine", record_row(record)), entry)

    async def close_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        """Store a record's new state; raises NotFound where no record with its id is held."""
        columns = closing_columns(record)

        def work(database: sqlite_utils.Database) -> None:
            closed = database.execute(
                "UPDATE quarantine SET state = :state, closed_by = :closed_by, closed_at = :closed_at, "
                "closing_reason = :closing_reason WHERE id = :id AND state = 'held'",
                {"id": record.id, **columns},
            )
            if not closed.rowcount:
                raise NotFound(f"no quarantine record {record.id!r} is held")

        await self._change(work, entry)

    async def quarantine_history(self) -> list[QuarantineRecord]:
        """Return every record there ever was, oldest first."""
        return await self._read(
            lambda database: _rows(database, read_record, "SELECT * FROM quarantine ORDER BY rowid")
        )

    async def add_waiver(self, waiver: Waiver, entry: Entry) -> None:
        """Add a waiver."""
        await self._change(lambda database: _insert(database, "waiver", waiver_row(waiver)), entry)

    async def revoke_waiver(self, waiver_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a waiver; raises NotFound where none with the id stands."""

        def work(database: sqlite_utils.Database) -> None:
            revoked = database.execute(
                "UPDATE waiver SET revoked_at = :at, revoked_by = :by "
                "WHERE id = :id AND revoked_at IS NULL AND expires_at > :at",
                {"id": waiver_id, "by": by, "at": rfc3339(at)},
            )
            if not revoked.rowcount:
                raise NotFound(f"no waiver {waiver_id!r} stands")

        await self._change(work, entry)

    async def waiver_history(self) -> list[Waiver]:
        """Return every waiver there ever was, oldest first."""
        return await self._read(lambda database: _rows(database, read_waiver, "SELECT * FROM waiver ORDER BY rowid"))

    async def add_publisher(self, record: PublisherRecord, entry: Entry) -> None:
        """Add a publisher that was pinned or accepted."""
        await self._change(lambda database: _insert(database, "publisher", publisher_row(record)), entry)

    async def revoke_publisher(self, record_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a pin or an acceptance; raises NotFound where none with the id stands."""

        def work(database: sqlite_utils.Database) -> None:
            revoked = database.execute(
                "UPDATE publisher SET revoked_at = :at, revoked_by = :by WHERE id = :id AND revoked_at IS NULL",
                {"id": record_id, "by": by, "at": rfc3339(at)},
            )
            if not revoked.rowcount:
                raise NotFound(f"no publisher {record_id!r} is pinned or accepted")

        await self._change(work, entry)

    async def publisher_history(self) -> list[PublisherRecord]:
        """Return every pin and acceptance there ever was, oldest first."""
        return await self._read(
            lambda database: _rows(database, read_publisher, "SELECT * FROM publisher ORDER BY rowid")
        )

    async def _look(self, kept: Records) -> Records:
        now = self._clock.now()
        return await self._read(lambda database: _in_force(database, kept, now))

    async def _change(self, work: Work[None], entry: Entry) -> None:
        def change(database: sqlite_utils.Database) -> None:
            work(database)
            database.execute("UPDATE revision SET number = number + 1")
            append_entry(database, entry)

        try:
            await self._ledger.write(change)
        finally:
            self._kept.distrust()

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} has a damaged record: {error}; restore it from a backup") from error


def _in_force(database: sqlite_utils.Database, kept: Records, now: datetime) -> Records:
    (revision,) = database.execute("SELECT number FROM revision").fetchone()
    if revision == kept.revision:
        unexpired = tuple(waiver for waiver in kept.waivers if waiver.expires_at > now)
        return kept if len(unexpired) == len(kept.waivers) else replace(kept, waivers=unexpired)
    return Records(
        revision,
        tuple(_rows(database, read_record, "SELECT * FROM quarantine WHERE state != 'released' ORDER BY rowid")),
        tuple(
            _rows(
                database,
                read_waiver,
                "SELECT * FROM waiver WHERE revoked_at IS NULL AND expires_at > ? ORDER BY rowid",
                rfc3339(now),
            )
        ),
        tuple(_rows(database, read_publisher, "SELECT * FROM publisher WHERE revoked_at IS NULL ORDER BY rowid")),
    )


def _rows(database: sqlite_utils.Database, read: Callable[[Row], T], sql: str, *values: str) -> list[T]:
    return [read(row) for row in database.query(sql, values)]


def _insert(database: sqlite_utils.Database, table: str, row: Row) -> None:
    database.table(table).insert(row)
