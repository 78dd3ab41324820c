"""What other processes do to a store while tests look on."""

import asyncio
import hashlib
import os
import resource
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fakes.clock import FakeClock

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import StoreError
from pinfold.domain.listing import observe
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project
from pinfold.domain.records import QuarantineRecord
from pinfold.domain.target import ProjectTarget
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Validators

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
ENTRY = Entry(Action.FILE_SERVED, NOON, Actor())
RECORD = QuarantineRecord("Q-1", ProjectTarget("litellm"), "reads credentials", None, "kim", NOON)


async def ledger_of(data: DataDirectory) -> Database:
    """Open the ledger as every process does."""
    ledger, _ = await open_ledger(data.ledger, SigningKeys(data.keys))
    return ledger


def append_entries(root: Path, name: str, count: int) -> None:
    """Append entries to the audit log, a few at once."""

    async def append() -> None:
        ledger = await ledger_of(DataDirectory.open(root))
        log, entry = SqliteAuditLog(ledger), Entry(Action.FILE_SERVED, NOON, Actor(name))
        for _ in range(count // 5):
            await asyncio.gather(*(log.append(entry) for _ in range(5)))
        await log.close()
        await ledger.close()

    asyncio.run(append())


def see_files(root: Path, name: str, count: int) -> None:
    """Refresh one listing again and again, each time with one more file on its page."""

    async def see() -> None:
        file = await Database.open(DataDirectory.open(root).catalog, schema.catalog, durable=False)
        catalog = SqliteCatalog(file)
        for number in range(count):
            filename = f"idna-{number}+{name}.tar.gz"
            seen = File(filename, f"https://files.example/{filename}", "a" * 64, FileKind.SDIST, None)

            def change(stored: Stored | None, seen: File = seen) -> Stored:
                at = NOON + timedelta(seconds=len(stored.listing.sightings) if stored else 0)
                listing = observe(stored.listing if stored else None, Project("idna", (seen,)), at)
                return Stored(listing, Validators(), at)

            await catalog.update("pypi", "idna", change)
        await file.close()

    asyncio.run(see())


def add_record(root: Path, report: Connection) -> None:
    """Add a quarantine record and report that it is added."""

    async def add() -> None:
        ledger = await Database.open(DataDirectory.open(root).ledger, schema.ledger, durable=True)
        await SqliteRecordStore(ledger, FakeClock()).add_quarantine(RECORD, ENTRY)
        report.send("added")
        await ledger.close()

    asyncio.run(add())


def keep_blobs_until_killed(root: Path, report: Connection) -> None:
    """Store blobs, several at once, and report each that is durable together with its entry in the audit log."""

    async def keep(blobs: FileBlobs, log: SqliteAuditLog) -> None:
        while True:
            content = os.urandom(200_000)
            sha256 = hashlib.sha256(content).hexdigest()
            async with blobs.writer() as writer:
                for start in range(0, len(content), 10_000):
                    await writer.write(content[start : start + 10_000])
                await writer.commit(sha256)
            await log.append(Entry(Action.FILE_SERVED, NOON, Actor(), sha256=sha256))
            report.send(sha256)

    async def run() -> None:
        data = DataDirectory.open(root)
        log = SqliteAuditLog(await ledger_of(data))
        blobs = FileBlobs(data.blobs, data.incoming)
        await asyncio.gather(*(keep(blobs, log) for _ in range(4)))

    asyncio.run(run())


def append_entries_until_full(root: Path, report: Connection) -> None:
    """Append entries until files may not grow any more; report how many were acknowledged, and the error."""

    async def append() -> None:
        ledger = await ledger_of(DataDirectory.open(root))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
        log, acknowledged = SqliteAuditLog(ledger), 0
        try:
            while True:
                await log.append(ENTRY)
                acknowledged += 1
        except StoreError as error:
            report.send((acknowledged, str(error)))
        await ledger.close()

    asyncio.run(append())
