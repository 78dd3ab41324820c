import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from tests.fakes.clock import NOON, FakeClock

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import StoreError
from pinfold.domain.records import QuarantineRecord, Waiver
from pinfold.domain.target import ProjectTarget
from pinfold.usecases import kept
from pinfold.usecases.present import TRUSTED_SECONDS

T = TypeVar("T")
RECORD = QuarantineRecord("Q-1", ProjectTarget("litellm"), "reads credentials", None, "kim", NOON)
WAIVER = Waiver("W-1", ProjectTarget("idna"), "minimum-age", "a fix", "kim", NOON, NOON + timedelta(days=1))
ENTRY = Entry(Action.QUARANTINE_ADD, NOON, Actor("kim"))
UNKEPT = replace(ENTRY, details={"strange": object()})


class CountingDatabase(Database):
    """Counts how often it is read."""

    reads = 0

    async def read(self, work: Work[T]) -> T:
        self.reads += 1
        return await super().read(work)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[CountingDatabase]:
    ledger = CountingDatabase(path, schema.ledger, durable=True)
    yield ledger
    await ledger.close()


@pytest.fixture
def store(ledger: CountingDatabase) -> SqliteRecordStore:
    return SqliteRecordStore(ledger, FakeClock())


async def test_decisions_that_come_at_once_share_one_look(store: SqliteRecordStore, ledger: CountingDatabase) -> None:
    found = await asyncio.gather(*(store.current() for _ in range(100)))
    assert ledger.reads == 1
    assert all(records is found[0] for records in found)


async def test_what_was_looked_at_just_now_is_not_looked_at_again(
    store: SqliteRecordStore, ledger: CountingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(kept, "monotonic", lambda: now)
    before = await store.current()
    assert await store.current() is before
    assert ledger.reads == 1
    now += TRUSTED_SECONDS
    assert await store.current() is before
    assert ledger.reads == 2


async def test_another_process_is_heard_within_a_second(store: SqliteRecordStore, path: Path) -> None:
    await store.current()
    elsewhere = await Database.open(path, schema.ledger, durable=True)
    await SqliteRecordStore(elsewhere, FakeClock()).add_quarantine(RECORD, ENTRY)
    await elsewhere.close()
    await asyncio.sleep(TRUSTED_SECONDS)
    assert (await store.current()).quarantine == (RECORD,)


async def test_a_change_is_seen_although_an_older_look_is_still_under_way(
    ledger: CountingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteRecordStore(ledger, FakeClock())
    looked, go_on = asyncio.Event(), asyncio.Event()
    read = ledger.read

    async def slow_read(work: Work[T]) -> T:
        found = await read(work)
        looked.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(ledger, "read", slow_read)
    old_look = asyncio.create_task(store.current())
    await looked.wait()
    monkeypatch.undo()
    await store.add_quarantine(RECORD, ENTRY)
    go_on.set()
    assert (await store.current()).quarantine == (RECORD,)
    assert (await old_look).quarantine == ()
    assert (await store.current()).quarantine == (RECORD,)


async def test_whoever_hangs_up_does_not_end_the_look_for_the_others(store: SqliteRecordStore) -> None:
    first, second = asyncio.create_task(store.current()), asyncio.create_task(store.current())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).quarantine == ()


async def test_a_store_that_cannot_be_asked_gives_no_answer(store: SqliteRecordStore, ledger: CountingDatabase) -> None:
    await store.current()
    await ledger.close()
    await asyncio.sleep(TRUSTED_SECONDS)
    for _ in range(2):
        with pytest.raises(StoreError):
            await store.current()


async def test_a_change_without_its_audit_entry_is_no_change(store: SqliteRecordStore) -> None:
    await store.add_quarantine(RECORD, ENTRY)
    await store.add_waiver(WAIVER, ENTRY)
    before = await store.current()
    for change in (
        store.add_quarantine(replace(RECORD, id="Q-2"), UNKEPT),
        store.close_quarantine(RECORD, UNKEPT),
        store.add_waiver(replace(WAIVER, id="W-2"), UNKEPT),
        store.revoke_waiver("W-1", "lee", NOON, UNKEPT),
    ):
        with pytest.raises(TypeError, match="audit entry"):
            await change
    assert await store.current() == before
    assert await store.quarantine_history() == [RECORD]
    assert await store.waiver_history() == [WAIVER]


@pytest.mark.parametrize("damage", ["target_kind = 'galaxy'", "created_at = 'lately'"])
async def test_a_damaged_record_is_an_error_and_not_left_out(store: SqliteRecordStore, path: Path, damage: str) -> None:
    await store.add_quarantine(RECORD, ENTRY)
    with sqlite3.connect(path) as intruder:
        intruder.execute(f"UPDATE quarantine SET {damage}")
    intruder.close()
    with pytest.raises(StoreError, match="damaged record"):
        await store.current()
    with pytest.raises(StoreError, match="damaged record"):
        await store.quarantine_history()
