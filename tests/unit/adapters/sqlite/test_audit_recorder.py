"""Entries that come at once, what becomes of those who wait for them, and of what a process leaves behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from msgspec.structs import replace as replace_in
from tests.fakes.evidence import a_file, evidence_of
from tests.unit.adapters.sqlite.ledgers import (
    NOON,
    abandon,
    append,
    entry,
    intruding,
    journals,
    keys_of,
    ledger_of,
    verified,
)

from pinfold.adapters.sqlite import audit_recorder
from pinfold.adapters.sqlite import database as database_module
from pinfold.adapters.sqlite import ledger as ledger_module
from pinfold.adapters.sqlite.audit_journal import Durable
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.adapters.sqlite.look_back import SqliteLookBackStore
from pinfold.audit.findings import Verification
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import StoreError
from pinfold.domain.project import File
from pinfold.ports.audit_log import AuditQuery, Backlog


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    yield ledger
    await ledger.close()


@pytest.fixture
async def log(ledger: Database) -> AsyncIterator[SqliteAuditLog]:
    log = SqliteAuditLog(ledger)
    yield log
    await log.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have entries wait for no others, and a ledger that failed asked again at once."""
    monkeypatch.setattr(audit_recorder, "DELAY", 0)
    monkeypatch.setattr(audit_recorder, "RETRY", 0)


async def entries(log: SqliteAuditLog) -> list[Entry]:
    return [recorded.entry for recorded in await log.search(AuditQuery(limit=10_000, newest_first=False))]


async def go_on(log: SqliteAuditLog) -> None:
    while True:
        await log.append(entry(2))


# Entries that wait together


async def test_entries_that_come_at_once_are_signed_together_and_in_their_order(
    log: SqliteAuditLog, ledger: Database, tmp_path: Path
) -> None:
    appended = await asyncio.gather(*(log.append(entry(n)) for n in range(300)))
    assert await entries(log) == [entry(n) for n in range(300)]
    assert [await one.number() for one in appended[::50]] == [1, 51, 101, 151, 201, 251]
    checkpoints = await ledger.read(lambda database: database.execute("SELECT size FROM audit_checkpoint").fetchall())
    assert checkpoints == [(0,), (300,)]
    assert verified(tmp_path) == Verification(1, 300, 300)


async def test_the_ledger_soon_has_what_was_recorded_though_nobody_asks(
    log: SqliteAuditLog, ledger: Database, tmp_path: Path
) -> None:
    for number in range(3):
        await log.append(entry(number))
    async with asyncio.timeout(10):
        while await ledger.read(lambda database: database.execute("SELECT count(*) FROM audit").fetchone()) != (3,):
            await asyncio.sleep(0.01)
    assert verified(tmp_path) == Verification(1, 3, 3)


async def test_what_is_recorded_while_the_ledger_takes_up_the_rest_is_soon_taken_up_too(
    log: SqliteAuditLog, ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = audit_recorder.hand_over

    async def meanwhile(ledger: Database, durable: Durable | None) -> None:
        await hand_over(ledger, durable)
        monkeypatch.setattr(audit_recorder, "hand_over", hand_over)
        await log.append(entry(2))

    monkeypatch.setattr(audit_recorder, "hand_over", meanwhile)
    await log.append(entry(1))
    async with asyncio.timeout(10):
        while await ledger.read(lambda database: database.execute("SELECT count(*) FROM audit").fetchone()) != (2,):
            await asyncio.sleep(0.01)


async def test_a_change_of_the_ledger_comes_after_what_was_recorded_before(
    log: SqliteAuditLog, ledger: Database
) -> None:
    await log.append(entry(1))
    assert await append(ledger, entry(2)) == [2]
    assert await entries(log) == [entry(1), entry(2)]


async def test_a_change_that_waits_for_another_comes_after_what_was_recorded_meanwhile(
    log: SqliteAuditLog, ledger: Database
) -> None:
    began, goes_on = Event(), Event()

    def change(_: object) -> None:
        began.set()
        goes_on.wait(10)

    first = asyncio.create_task(ledger.write(change))
    await asyncio.to_thread(began.wait, 10)
    appended = await log.append(entry(1))
    second = asyncio.create_task(append(ledger, entry(2)))
    await asyncio.sleep(0)
    goes_on.set()
    await first
    assert await second == [2]
    assert await appended.number() == 1


async def test_the_entries_of_several_processes_follow_each_other_in_time(tmp_path: Path) -> None:
    for first in (1, 2):
        await asyncio.to_thread(abandon, tmp_path, *(entry(number) for number in range(first, 10, 2)))
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    # The first process's were taken up when the second one opened the ledger.
    assert await entries(SqliteAuditLog(ledger)) == [entry(n) for n in (1, 3, 5, 7, 9, 2, 4, 6, 8)]
    one, other = SqliteAuditLog(ledger), SqliteAuditLog(ledger)
    for number in range(10, 20):
        await (one if number % 3 else other).append(entry(number))
    assert (await entries(one))[9:] == [entry(n) for n in range(10, 20)]
    for log in (one, other):
        await log.close()
    await ledger.close()
    assert journals(tmp_path) == []


async def test_whoever_hangs_up_leaves_the_others_alone(log: SqliteAuditLog, tmp_path: Path) -> None:
    tasks = [asyncio.create_task(log.append(entry(n))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = await entries(log)
    assert all(entry(n) in found for n in range(1, 20, 2))
    assert verified(tmp_path).ok


async def test_entries_that_are_the_same_to_the_microsecond_have_a_number(log: SqliteAuditLog) -> None:
    appended = await asyncio.gather(*(log.append(entry(1)) for _ in range(2)))
    assert [await one.number() for one in appended] == [1, 1]
    assert len(await entries(log)) == 2


# What fails


@pytest.mark.usefixtures("impatient")
async def test_a_ledger_that_takes_up_nothing_has_nothing_more_recorded(
    log: SqliteAuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_SECONDS", 0.2)
    other = sqlite3.connect(ledger_of(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(10):
        await log.append(entry(1))
        with pytest.raises(StoreError, match="is locked"):
            await go_on(log)
    other.execute("COMMIT")
    other.close()
    before = len(await entries(log))
    await log.append(entry(3))
    assert (await entries(log))[before:] == [entry(3)]
    assert verified(tmp_path).ok


@pytest.mark.usefixtures("impatient")
async def test_whatever_keeps_the_ledger_from_taking_up_has_nothing_more_recorded(
    log: SqliteAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "take_up", fail)
        async with asyncio.timeout(10):
            await log.append(entry(1))
            with pytest.raises(ValueError, match="out of order"):
                await go_on(log)
    await log.append(entry(3))
    found = await entries(log)
    assert (found[0], found[-1]) == (entry(1), entry(3))


@pytest.mark.usefixtures("impatient")
async def test_nothing_is_recorded_any_more_for_a_log_that_was_tampered_with(
    log: SqliteAuditLog, ledger: Database, tmp_path: Path
) -> None:
    await append(ledger, entry(1))
    with intruding(tmp_path) as intruder:
        intruder.execute("DELETE FROM audit")
    async with asyncio.timeout(10):
        with pytest.raises(StoreError, match="ends with entry 0, and 1 were logged"):
            await go_on(log)
    with intruding(tmp_path) as intruder:
        # Given back from a backup, the log goes on, and has what came meanwhile.
        for table in ("audit_tile", "audit_checkpoint", "audit_state"):
            intruder.execute(f"DELETE FROM {table}")
    await log.append(entry(3))
    found = await entries(log)
    assert (found[0], found[-1]) == (entry(2), entry(3))


async def test_a_ledger_that_failed_a_moment_ago_is_not_asked_again_for_each_entry(
    log: SqliteAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "DELAY", 0)
    monkeypatch.setattr(audit_recorder, "RETRY", 60)
    attempts = []

    def fail(*_: object) -> None:
        attempts.append(None)
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, "take_up", fail)
        async with asyncio.timeout(10):
            for _ in range(5):
                with pytest.raises(StoreError, match="the disk is full"):
                    await go_on(log)
    assert len(attempts) == 1
    monkeypatch.setattr(audit_recorder, "RETRY", 0)
    await log.append(entry(3))
    assert (await entries(log))[-1] == entry(3)


async def test_what_waits_for_the_ledger_is_told_until_it_is_taken_up(
    log: SqliteAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    assert log.backlog == Backlog(0, 0.0, None)
    with monkeypatch.context() as patch:
        patch.setattr(audit_recorder, "DELAY", 60)
        await asyncio.gather(*(log.append(entry(number)) for number in range(3)))
        assert (log.backlog.entries, log.backlog.failure) == (3, None)
        patch.setattr(ledger_module, "take_up", fail)
        patch.setattr(audit_recorder, "LARGEST", 0)
        await log.append(entry(3))
        with pytest.raises(StoreError, match="the disk is full"):
            await log.append(entry(4))
        assert log.backlog.entries == 4
        assert log.backlog.seconds > 0
        assert str(log.backlog.failure) == "the disk is full"
    monkeypatch.setattr(audit_recorder, "RETRY", 0)
    await log.append(entry(5))
    assert (log.backlog.entries, log.backlog.failure) == (1, None)


async def test_a_ledger_that_failed_whoever_came_last_is_asked_again_though_nobody_comes(
    log: SqliteAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over, calls, first_done = audit_recorder.hand_over, [], asyncio.Event()

    async def fail_the_second(ledger: Database, durable: Durable | None) -> None:
        calls.append(None)
        if len(calls) == 2:
            await first_done.wait()
            raise StoreError("the disk is full")
        await hand_over(ledger, durable)
        first_done.set()

    monkeypatch.setattr(audit_recorder, "DELAY", 0)
    monkeypatch.setattr(audit_recorder, "LARGEST", 0)
    monkeypatch.setattr(audit_recorder, "hand_over", fail_the_second)
    await log.append(entry(1))
    async with asyncio.timeout(10):
        while not calls:
            await asyncio.sleep(0)
        with pytest.raises(StoreError, match="the disk is full"):
            await log.append(entry(2))
        assert log.backlog.failure is not None
        while log.backlog.failure is not None:
            await asyncio.sleep(0.01)


async def test_what_waits_for_the_ledger_is_limited(
    log: SqliteAuditLog, ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "LARGEST", 2_000)
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    for number in range(20):
        await log.append(entry(number))
    (taken_up,) = await ledger.read(lambda database: database.execute("SELECT count(*) FROM audit").fetchone())
    assert taken_up > 10


async def test_a_disk_that_fails_once_loses_nothing_that_was_acknowledged(
    log: SqliteAuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    await log.append(entry(1), evidence := evidence_of())
    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", lambda file, data, place: len(data) // 2)
        with pytest.raises(StoreError, match="the disk is full"):
            await log.append(entry(2), evidence)
    await log.append(entry(3), evidence)
    assert await entries(log) == [entry(1), entry(3)]
    # The first may end with half an entry.
    assert len(journals(tmp_path)) == 2
    await log.close()
    assert journals(tmp_path) == []


async def test_a_log_that_is_closed_takes_nothing_and_leaves_no_journal(ledger: Database, tmp_path: Path) -> None:
    log = SqliteAuditLog(ledger)
    await log.append(entry(1))
    assert len(journals(tmp_path)) == 1
    await log.close()
    with pytest.raises(StoreError, match="takes no more"):
        await log.append(entry(2))
    assert journals(tmp_path) == []
    assert verified(tmp_path) == Verification(1, 1, 1)


async def test_a_log_whose_journal_failed_is_closed_with_all_it_took(
    log: SqliteAuditLog, ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    await log.append(entry(1))
    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", lambda file, data, place: 0)
        with pytest.raises(StoreError, match="the disk is full"):
            await log.append(entry(2))
    await log.close()
    assert verified(tmp_path) == Verification(1, 1, 1)
    assert journals(tmp_path) == []


@pytest.mark.parametrize(
    "file",
    [a_file(requires_python="\ud800"), a_file(size=2**64), a_file(size=-(2**63) - 1), a_file(requires_python="\0")],
)
async def test_whatever_evidence_tells_is_kept(log: SqliteAuditLog, file: File) -> None:
    evidence = replace_in(evidence_of(), file=file)
    await log.append(replace(entry(1), evidence_digest=evidence.digest()), evidence)
    assert await log.evidence([evidence.digest()]) == {evidence.digest(): evidence}


async def test_evidence_that_was_pruned_meanwhile_is_found_where_it_was_recorded_first(
    log: SqliteAuditLog, tmp_path: Path
) -> None:
    evidence = evidence_of()
    one = replace(entry(1), evidence_digest=evidence.digest())
    for _ in range(2):
        await log.append(one, evidence)
        assert await log.evidence([evidence.digest()]) == {evidence.digest(): evidence}
        with intruding(tmp_path) as intruder:
            intruder.execute("UPDATE audit SET evidence = NULL")
            intruder.execute("DELETE FROM evidence")


async def test_what_was_only_just_served_is_looked_back_at(
    log: SqliteAuditLog, ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    store = SqliteLookBackStore(ledger)
    served = replace(entry(1), index="main", filename="six-1.1.tar.gz", sha256="a" * 64)
    await log.append(served)
    await store.note({"six"}, "vanished")
    change = await store.take(NOON, NOON)
    assert change is not None
    assert change.project == "six"
    await log.append(replace(served, filename="six-1.1.zip"))
    assert [file.filename for file in await store.served(change)] == ["six-1.1.tar.gz", "six-1.1.zip"]
