"""The stores while several processes work on them, and after some were killed."""

import asyncio
import hashlib
import multiprocessing
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import FakeClock
from tests.unit.adapters import store_processes
from tests.unit.adapters.store_processes import RECORD

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.ports.audit_log import AuditQuery

SECONDS = 30
"""More than any of it takes on a busy machine."""

spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory.open(tmp_path / "data")


@pytest.fixture
async def ledger(data: DataDirectory) -> AsyncIterator[Database]:
    ledger = await store_processes.ledger_of(data)
    yield ledger
    await ledger.close()


@contextmanager
def running(work: Callable[..., None], *args: object) -> Iterator[SpawnProcess]:
    """Run a function in a process of its own, which ends with the block if not before."""
    process = spawn.Process(target=work, args=args)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(SECONDS)
        process.close()


def receive(report: Connection) -> Any:
    assert report.poll(SECONDS)
    return report.recv()


def both(work: Callable[..., None], data: DataDirectory, count: int) -> None:
    """Run a function in two processes at once, to the end."""
    with running(work, data.root, "one", count) as one, running(work, data.root, "two", count) as two:
        for process in (one, two):
            process.join(SECONDS)
            assert process.exitcode == 0


async def test_numbers_have_no_gap_whichever_process_appends(data: DataDirectory) -> None:
    def append_twice() -> None:
        both(store_processes.append_entries, data, 100)

    await asyncio.gather(asyncio.to_thread(append_twice), asyncio.to_thread(append_twice))
    ledger = await store_processes.ledger_of(data)
    found = await SqliteAuditLog(ledger).search(AuditQuery(newest_first=False, limit=1000))
    await ledger.close()
    assert [recorded.seq for recorded in found] == list(range(1, 401))
    assert Counter(recorded.entry.actor.name for recorded in found) == {"one": 200, "two": 200}


async def test_processes_that_refresh_one_listing_lose_no_sighting(data: DataDirectory) -> None:
    await asyncio.to_thread(both, store_processes.see_files, data, 40)
    file = await Database.open(data.catalog, schema.catalog, durable=False)
    stored = await SqliteCatalog(file).load("pypi", "idna")
    await file.close()
    assert stored is not None
    assert len(stored.listing.sightings) == 80
    assert len({sighting.first_seen for sighting in stored.listing.sightings.values()}) == 80


async def test_a_record_holds_in_every_process_within_a_second(data: DataDirectory, ledger: Database) -> None:
    store = SqliteRecordStore(ledger, FakeClock())
    receiver, sender = spawn.Pipe(duplex=False)
    with receiver, sender, running(store_processes.add_record, data.root, sender):
        assert (await store.current()).quarantine == ()
        assert await asyncio.to_thread(receive, receiver) == "added"
        await asyncio.sleep(0.5)
        assert (await store.current()).quarantine == (RECORD,)


async def test_a_killed_process_leaves_nothing_by_half(data: DataDirectory) -> None:
    acknowledged: list[str] = []
    for _ in range(3):
        receiver, sender = spawn.Pipe(duplex=False)
        with receiver, running(store_processes.keep_blobs_until_killed, data.root, sender) as process:
            acknowledged += [await asyncio.to_thread(receive, receiver) for _ in range(12)]
            process.kill()
            sender.close()
            while receiver.poll():
                try:
                    acknowledged.append(receiver.recv())
                except EOFError:
                    break

    blobs = FileBlobs(data.blobs, data.incoming)
    await blobs.sweep()
    assert list(data.incoming.iterdir()) == []
    assert await blobs.among(set(acknowledged)) == set(acknowledged)
    await blobs.close()
    kept = [path for path in data.blobs.rglob("*") if path.is_file()]
    assert [path for path in kept if hashlib.sha256(path.read_bytes()).hexdigest() != path.name] == []

    ledger = await store_processes.ledger_of(data)
    found = await SqliteAuditLog(ledger).search(AuditQuery(newest_first=False, limit=10_000))
    await ledger.close()
    assert [recorded.seq for recorded in found] == list(range(1, len(found) + 1))
    assert set(acknowledged) <= {recorded.entry.sha256 for recorded in found}
    assert {recorded.entry.sha256 for recorded in found} <= {path.name for path in kept}


async def test_a_file_that_may_not_grow_keeps_what_was_acknowledged(data: DataDirectory) -> None:
    receiver, sender = spawn.Pipe(duplex=False)
    with receiver, sender, running(store_processes.append_entries_until_full, data.root, sender):
        acknowledged, message = await asyncio.to_thread(receive, receiver)
    assert acknowledged > 0
    assert "ledger.db cannot" in message
    ledger = await store_processes.ledger_of(data)
    found = await SqliteAuditLog(ledger).search(AuditQuery(limit=acknowledged + 1))
    assert len(found) == acknowledged
    await ledger.close()
