"""Open everything that is kept below the data directory."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.filesystem.turns import Turns
from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.alerts import SqliteOutbox
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_tree import AuditTree
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds as feed_schema
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.adapters.sqlite.look_back import SqliteLookBackStore
from pinfold.adapters.sqlite.names_in_use import SqliteNamesInUse
from pinfold.adapters.sqlite.pins import SqlitePinStore
from pinfold.adapters.sqlite.provenance import SqliteProvenanceStore
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.adapters.sqlite.reports import SqliteReportStore
from pinfold.adapters.sqlite.tokens import SqliteTokenStore
from pinfold.ports.clock import Clock
from pinfold.settings import Settings
from pinfold.usecases.present import Present


@dataclass(frozen=True)
class Stores:
    """What is kept: the ledger that must never be lost, the catalog and feeds that refill themselves, and the blobs."""

    data: DataDirectory
    present: Present
    """Knows when any of these changed."""
    blobs: FileBlobs
    turns: Turns

    ledger: Database
    audit_tree: AuditTree
    audit_log: SqliteAuditLog
    records: SqliteRecordStore
    tokens: SqliteTokenStore
    published: SqlitePublishedStore
    look_back: SqliteLookBackStore
    outbox: SqliteOutbox
    pins: SqlitePinStore
    names_in_use: SqliteNamesInUse

    catalog: SqliteCatalog
    provenance: SqliteProvenanceStore
    reports: SqliteReportStore

    advisories: SqliteAdvisoryStore


async def open_audited(settings: Settings, stack: AsyncExitStack) -> tuple[DataDirectory, Database, AuditTree]:
    """Open the data directory, and its ledger to be closed with `stack`. Raises StoreError with what to do about it."""
    data = await asyncio.to_thread(DataDirectory.open, settings.data)
    ledger, audit_tree = await open_ledger(data.ledger, SigningKeys(data.keys))
    stack.push_async_callback(ledger.close)
    return data, ledger, audit_tree


async def open_stores(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Stores:
    """Open the stores, to be closed with `stack`. Raises StoreError with what to do about it."""
    data, ledger, audit_tree = await open_audited(settings, stack)
    audit_log = SqliteAuditLog(ledger)
    stack.push_async_callback(audit_log.close)
    catalog = await Database.open(data.catalog, schema.catalog, durable=False, present=ledger.present)
    stack.push_async_callback(catalog.close)
    feeds = await Database.open(data.feeds, feed_schema, durable=False, present=ledger.present)
    stack.push_async_callback(feeds.close)
    blobs = FileBlobs(data.blobs, data.incoming)
    stack.push_async_callback(blobs.close)
    await blobs.sweep()
    return Stores(
        data=data,
        present=ledger.present,
        blobs=blobs,
        turns=Turns(data.root),
        ledger=ledger,
        audit_tree=audit_tree,
        audit_log=audit_log,
        records=SqliteRecordStore(ledger, clock),
        tokens=SqliteTokenStore(ledger),
        published=SqlitePublishedStore(ledger),
        look_back=SqliteLookBackStore(ledger),
        outbox=SqliteOutbox(ledger),
        pins=SqlitePinStore(ledger),
        names_in_use=SqliteNamesInUse(ledger),
        catalog=SqliteCatalog(catalog),
        provenance=SqliteProvenanceStore(catalog),
        reports=SqliteReportStore(catalog),
        advisories=SqliteAdvisoryStore(feeds, settings.feeds),
    )
