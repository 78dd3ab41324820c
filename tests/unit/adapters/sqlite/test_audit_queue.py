"""Entries that come at once, and what becomes of those who wait for them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.adapters.sqlite.ledgers import entry, keys_of, ledger_of, verified

from pinfold.adapters.sqlite import database as database_module
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_tree import open_ledger
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.findings import Verification
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import AuditQuery


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    yield ledger
    await ledger.close()


async def test_entries_that_wait_together_are_signed_together_and_in_their_order(
    ledger: Database, tmp_path: Path
) -> None:
    log = SqliteAuditLog(ledger)
    assert await asyncio.gather(*(log.append(entry(n)) for n in range(300))) == list(range(1, 301))
    found = await log.search(AuditQuery(limit=300, newest_first=False))
    assert [recorded.entry for recorded in found] == [entry(n) for n in range(300)]
    checkpoints = await ledger.read(lambda database: database.execute("SELECT size FROM audit_checkpoint").fetchall())
    assert checkpoints == [(0,), (300,)]
    assert verified(tmp_path) == Verification(1, 300, 300)


async def test_entries_come_in_while_others_are_written(ledger: Database, tmp_path: Path) -> None:
    log = SqliteAuditLog(ledger)

    async def one_after_the_other(client: int) -> list[int]:
        return [await log.append(entry(client)) for _ in range(20)]

    numbers = await asyncio.gather(*map(one_after_the_other, range(10)))
    assert sorted(number for client in numbers for number in client) == list(range(1, 201))
    assert all(client == sorted(client) for client in numbers)
    assert verified(tmp_path) == Verification(1, 200, 200)


async def test_whoever_hangs_up_leaves_the_others_alone(ledger: Database, tmp_path: Path) -> None:
    log = SqliteAuditLog(ledger)
    tasks = [asyncio.create_task(log.append(entry(n))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    found = {recorded.seq: recorded.entry for recorded in await log.search(AuditQuery())}
    assert [found[number] for number in results[1::2]] == [entry(n) for n in range(1, 20, 2)]
    assert verified(tmp_path).ok


async def test_a_ledger_that_fails_fails_all_who_wait_and_nobody_later(
    ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 0.2)
    log = SqliteAuditLog(ledger)
    other = sqlite3.connect(ledger_of(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(log.append(entry(n)) for n in range(50)), return_exceptions=True)
    other.execute("COMMIT")
    other.close()
    assert [type(result) for result in results] == [StoreError] * 50
    assert await log.append(entry(50)) == 1
    assert verified(tmp_path) == Verification(1, 1, 1)


async def test_what_fails_within_the_transaction_is_told_to_all_who_share_it(ledger: Database, tmp_path: Path) -> None:
    log = SqliteAuditLog(ledger)
    await ledger.write(
        lambda database: database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit "
            "WHEN (SELECT version FROM audit_file WHERE id = NEW.file) = '1.7' "
            "BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
    )
    results = await asyncio.gather(*(log.append(entry(n)) for n in range(10)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 10
    assert await log.append(entry(8)) == 1
    assert verified(tmp_path) == Verification(1, 1, 1)


async def test_a_ledger_that_is_closed_takes_nothing(tmp_path: Path) -> None:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    log = SqliteAuditLog(ledger)
    await log.append(entry(1))
    await ledger.close()
    with pytest.raises(StoreError, match="takes no more work"):
        await log.append(entry(2))
    assert verified(tmp_path) == Verification(1, 1, 1)
