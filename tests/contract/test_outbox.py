"""What every outbox of alerts keeps to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlite_utils
from tests.fakes.alerts import FakeOutbox

from pinfold.adapters.sqlite import alerts, schema
from pinfold.adapters.sqlite.alerts import SqliteOutbox, put
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.alert import Alert
from pinfold.ports.alerts import Outbox

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERT = Alert("A-1", NOON, "decision.changed", "news", {"project": "litellm", "files": [{"version": None}]})
OTHER = replace(ALERT, id="A-2", time=NOON + timedelta(seconds=1))


class Filled:
    """An outbox in which alerts were put."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox

    async def put(self, alert: Alert, *receivers: str) -> None:
        await self.outbox.put(alert, receivers)


@pytest.fixture(params=["sqlite", "fake"])
async def filled(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Filled]:
    if request.param == "fake":
        yield Filled(FakeOutbox())
        return
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=False)
    yield Filled(SqliteOutbox(ledger))
    await ledger.close()


async def test_what_was_put_in_is_taken_as_it_was_by_its_receiver_alone(filled: Filled) -> None:
    await filled.put(ALERT, "soc", "chat")
    taken = await filled.outbox.take("soc", NOON, NOON + MINUTE)
    assert taken is not None
    assert (taken.alert, taken.receiver, taken.attempts) == (ALERT, "soc", 1)
    assert await filled.outbox.take("soc", NOON, NOON + MINUTE) is None
    assert await filled.outbox.take("nobody", NOON, NOON + MINUTE) is None
    assert await filled.outbox.take("chat", NOON, NOON + MINUTE) is not None


async def test_of_several_takers_one_gets_a_delivery(filled: Filled) -> None:
    await filled.put(ALERT, "soc")
    taken = await asyncio.gather(*(filled.outbox.take("soc", NOON, NOON + MINUTE) for _ in range(8)))
    assert sum(one is not None for one in taken) == 1


async def test_the_oldest_comes_first(filled: Filled) -> None:
    for alert in (ALERT, OTHER):
        await filled.put(alert, "soc")
    later = OTHER.time
    ids = [one.alert.id for _ in range(2) if (one := await filled.outbox.take("soc", later, later + MINUTE))]
    assert ids == ["A-1", "A-2"]


async def test_a_delivery_whose_taker_died_is_taken_again(filled: Filled) -> None:
    await filled.put(ALERT, "soc")
    await filled.outbox.take("soc", NOON, NOON + MINUTE)
    again = await filled.outbox.take("soc", NOON + MINUTE, NOON + 2 * MINUTE)
    assert again is not None
    assert again.attempts == 2


async def test_what_was_delivered_is_gone(filled: Filled) -> None:
    await filled.put(ALERT, "soc")
    taken = await filled.outbox.take("soc", NOON, NOON + MINUTE)
    assert taken is not None
    await filled.outbox.delivered(taken.number)
    assert await filled.outbox.pending() == []


async def test_what_failed_waits_for_its_time(filled: Filled) -> None:
    await filled.put(ALERT, "soc")
    taken = await filled.outbox.take("soc", NOON, NOON + MINUTE)
    assert taken is not None
    await filled.outbox.failed(taken.number, "it answered 500", NOON + 5 * MINUTE, dead=False)
    assert await filled.outbox.take("soc", NOON + 4 * MINUTE, NOON + 9 * MINUTE) is None
    (waiting,) = await filled.outbox.pending()
    assert (waiting.error, waiting.next_at, waiting.dead) == ("it answered 500", NOON + 5 * MINUTE, False)
    assert await filled.outbox.take("soc", NOON + 5 * MINUTE, NOON + 9 * MINUTE) is not None


async def test_what_was_given_up_waits_for_somebody_to_ask(filled: Filled) -> None:
    for alert in (ALERT, OTHER):
        await filled.put(alert, "soc")
        taken = await filled.outbox.take("soc", OTHER.time, NOON + MINUTE)
        assert taken is not None
        await filled.outbox.failed(taken.number, "gone", OTHER.time, dead=True)
    assert await filled.outbox.take("soc", NOON + 9 * MINUTE, NOON + 10 * MINUTE) is None
    assert await filled.outbox.retry("A-2", NOON) == 1
    assert await filled.outbox.retry("A-2", NOON) == 0
    assert await filled.outbox.retry(None, NOON) == 1
    taken = await filled.outbox.take("soc", NOON, NOON + MINUTE)
    assert taken is not None
    assert taken.attempts == 1


async def test_an_outbox_that_nobody_empties_stays_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alerts, "MOST_PENDING", 3)
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=False)
    outbox = SqliteOutbox(ledger)

    def fill(database: sqlite_utils.Database) -> None:
        for number in range(5):
            put(database, replace(ALERT, id=f"A-{number}"), ["soc"])

    await ledger.write(fill)
    assert [one.alert.id for one in await outbox.pending()] == ["A-2", "A-3", "A-4"]
    assert "outbox of alerts is full" in caplog.text
    await ledger.close()
