"""One process that takes up what others record, and what these do where it does not."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlite_utils import Database as Tables
from tests.unit.adapters.sqlite.ledgers import entry, intruding, opened, verified

from pinfold.adapters.sqlite import audit_places, audit_recorder, audit_taker
from pinfold.adapters.sqlite.audit_journal import Durable, settle
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_taker import take_up_for_all
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.findings import Verification
from pinfold.domain.errors import StoreError

SECONDS = 10
"""More than any of it takes on a busy machine."""


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody wait between two looks, nor after a failure, nor give up a look."""
    for module, name in (
        (audit_taker, "BEAT"),
        (audit_taker, "IDLE"),
        (audit_taker, "RETRY"),
        (audit_recorder, "RETRY"),
    ):
        monkeypatch.setattr(module, name, 0)
    monkeypatch.setattr(audit_recorder, "LOOK", SECONDS)


@asynccontextmanager
async def recording(root: Path) -> AsyncIterator[SqliteAuditLog]:
    """Open an audit log as another process would."""
    async with opened(root) as (ledger, _):
        log = SqliteAuditLog(ledger)
        yield log
        with suppress(StoreError):
            await log.close()


@asynccontextmanager
async def taking_up(root: Path) -> AsyncIterator[None]:
    async with opened(root) as (ledger, _):
        task = asyncio.create_task(take_up_for_all(ledger))
        yield
        task.cancel()
        await asyncio.wait([task])


async def until_entered(root: Path, number: int) -> None:
    async with asyncio.timeout(SECONDS):
        while verified(root) != Verification(1, number, number):
            await asyncio.sleep(0.01)


async def go_on(log: SqliteAuditLog) -> None:
    while True:
        await log.append(entry(2))


async def test_what_others_record_is_taken_up_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    async with recording(tmp_path) as one, recording(tmp_path) as other, taking_up(tmp_path):
        for number in range(3):
            await one.append(entry(number))
            await other.append(entry(number))
        await until_entered(tmp_path, 6)


async def test_what_was_taken_up_by_another_is_not_handed_over_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, handed_over = [], []
    hand_over, is_taken_up = audit_recorder.hand_over, audit_recorder.is_taken_up

    async def noted(*arguments: object) -> None:
        handed_over.append(arguments)
        await hand_over(*arguments)

    async def looked_at(ledger: Database, durable: Durable) -> bool:
        assert await settle(other)
        looks.append(await is_taken_up(ledger, durable))
        return looks[-1]

    monkeypatch.setattr(audit_recorder, "hand_over", noted)
    monkeypatch.setattr(audit_recorder, "is_taken_up", looked_at)
    async with opened(tmp_path) as (other, _), recording(tmp_path) as log:
        await log.append(entry(1))
        async with asyncio.timeout(SECONDS):
            while log._recorder._handing_over is not None:
                await asyncio.sleep(0.01)
        assert looks == [True]
        assert not handed_over


async def test_a_ledger_whose_signature_is_forged_is_not_believed_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_taken_up = audit_recorder.is_taken_up

    async def is_forged(_: Database, durable: Durable) -> bool:
        with intruding(tmp_path) as intruder:
            (note,) = intruder.execute("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1").fetchone()
            intruder.execute("REPLACE INTO audit_journal VALUES (?, ?)", [durable.journal.path.name, durable.end])
            (line,) = audit_places.extensions(Tables(intruder, execute_plugins=False))
            forged = re.sub(b"(?m)^journals .*$", line.encode(), note)
            intruder.execute("UPDATE audit_checkpoint SET note = ? WHERE note = ?", [forged, note])
        return await is_taken_up(ledger, durable)

    monkeypatch.setattr(audit_recorder, "DELAY", 0)
    monkeypatch.setattr(audit_recorder, "BELIEVED", 0.2)
    async with opened(tmp_path) as (ledger, _), recording(tmp_path) as log:
        await log.append(entry(1))
        await ledger.write(lambda _: None)
        monkeypatch.setattr(audit_recorder, "is_taken_up", is_forged)
        async with asyncio.timeout(SECONDS):
            with pytest.raises(StoreError, match="signature"):
                await go_on(log)


async def test_what_one_that_hangs_leaves_is_taken_up_by_whoever_recorded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []

    async def hang(_: Database) -> bool:
        looks.append(None)
        await asyncio.sleep(60)
        return True

    monkeypatch.setattr(audit_taker, "settle", hang)
    async with taking_up(tmp_path), recording(tmp_path) as log:
        for number in range(3):
            await log.append(entry(number))
        await until_entered(tmp_path, 3)
    assert looks


async def test_nobody_records_anything_more_for_a_ledger_that_was_damaged_and_all_say_why(
    tmp_path: Path,
) -> None:
    async with recording(tmp_path) as one, recording(tmp_path) as other, taking_up(tmp_path):
        await one.append(entry(1))
        await until_entered(tmp_path, 1)
        with intruding(tmp_path) as intruder:
            intruder.execute("DELETE FROM audit")
        for log in (one, other):
            async with asyncio.timeout(SECONDS):
                with pytest.raises(
                    StoreError, match="ends with entry 0, and 1 were logged: pinfold audit verify tells"
                ):
                    await go_on(log)


async def test_a_look_that_others_hold_up_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []

    async def hang(*_: object) -> bool:
        looks.append(None)
        await asyncio.sleep(60)
        return True

    monkeypatch.setattr(audit_recorder, "is_taken_up", hang)
    monkeypatch.setattr(audit_recorder, "LOOK", 0.01)
    async with recording(tmp_path) as log:
        await log.append(entry(1))
        await until_entered(tmp_path, 1)
    assert looks


@pytest.mark.parametrize("error", [StoreError("the disk is failing"), ValueError("no number")])
async def test_nothing_more_is_recorded_where_nobody_can_tell_whether_it_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fail(*_: object) -> bool:
        raise error

    async with recording(tmp_path) as log:
        monkeypatch.setattr(audit_recorder, "DELAY", 0)
        with monkeypatch.context() as patch:
            patch.setattr(audit_recorder, "is_taken_up", fail)
            patch.setattr(audit_recorder, "hand_over", fail)
            async with asyncio.timeout(SECONDS):
                with pytest.raises(type(error), match=str(error)):
                    await go_on(log)
            patch.undo()
            patch.setattr(audit_recorder, "is_taken_up", fail)
            await log.append(entry(3))
            async with asyncio.timeout(SECONDS):
                while log._recorder._handing_over is not None:
                    await asyncio.sleep(0.01)
        assert verified(tmp_path).last > 1


async def test_a_ledger_that_fails_for_a_moment_is_taken_up_for_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[None] = []
    is_appended = asyncio.Event()

    async def fail(_: Database) -> bool:
        await is_appended.wait()
        failures.append(None)
        raise StoreError("the disk is full")

    caplog.set_level("INFO")
    monkeypatch.setattr(audit_recorder, "DELAY", 60)
    monkeypatch.setattr(audit_taker, "settle", fail)
    async with recording(tmp_path) as log, taking_up(tmp_path):
        await log.append(entry(1))
        is_appended.set()
        async with asyncio.timeout(SECONDS):
            while len(failures) < 5:
                await asyncio.sleep(0.01)
        monkeypatch.setattr(audit_taker, "settle", settle)
        await until_entered(tmp_path, 1)
        async with asyncio.timeout(SECONDS):
            while "takes up what was recorded again" not in caplog.text:
                await asyncio.sleep(0.01)
    told = [record.message for record in caplog.records if record.name == audit_taker.__name__]
    assert told[0] == "the audit log takes nothing up (entries waiting: 1): the disk is full"
    # Not each time that it failed.
    assert len(told) == 2
