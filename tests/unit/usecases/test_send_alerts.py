"""Alerts reach their receivers in the end, or somebody learns that they did not."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from tests.fakes.alerts import FakeOutbox, FakeReceiver
from tests.fakes.clock import FakeClock

from pinfold.domain.alert import Alert
from pinfold.usecases import send_alerts
from pinfold.usecases.send_alerts import MOST_ATTEMPTS, SendAlerts


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outbox() -> FakeOutbox:
    return FakeOutbox()


@pytest.fixture
def alert(clock: FakeClock) -> Alert:
    return Alert("A-1", clock.now(), "decision.changed", "news")


async def test_an_alert_is_delivered_once(outbox: FakeOutbox, clock: FakeClock, alert: Alert) -> None:
    receiver = FakeReceiver()
    await outbox.put(alert, ["soc"])
    send = SendAlerts(outbox, [receiver], clock)
    assert await send.send_once(receiver)
    assert not await send.send_once(receiver)
    assert (receiver.taken, outbox.deliveries) == ([alert], {})


async def test_pauses_grow_and_in_the_end_it_is_given_up(
    outbox: FakeOutbox, clock: FakeClock, alert: Alert, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = FakeReceiver()
    receiver.failures = ["it answered 500"] * (MOST_ATTEMPTS + 1)
    await outbox.put(alert, ["soc"])
    send = SendAlerts(outbox, [receiver], clock)
    pauses = []
    for _ in range(MOST_ATTEMPTS):
        assert await send.send_once(receiver)
        (delivery,) = outbox.deliveries.values()
        pauses.append((delivery.next_at - clock.now()).total_seconds())
        clock.advance(timedelta(seconds=pauses[-1]))
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == 3600
    assert delivery.dead
    assert "given up" in caplog.text
    assert not await send.send_once(receiver)
    receiver.failures.clear()
    await outbox.retry(None, clock.now())
    assert await send.send_once(receiver)
    assert receiver.taken == [alert]


async def test_a_receiver_that_hangs_or_breaks_holds_up_no_other(
    outbox: FakeOutbox, clock: FakeClock, alert: Alert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_alerts, "LOOK_SECONDS", 0.001)

    class Hanging(FakeReceiver):
        async def send(self, alert: Alert) -> None:
            await asyncio.Event().wait()

    class Broken(FakeReceiver):
        async def send(self, alert: Alert) -> None:
            raise ZeroDivisionError

    sound = FakeReceiver("sound")
    await outbox.put(alert, ["hanging", "broken", "sound"])
    running = asyncio.create_task(SendAlerts(outbox, [Hanging("hanging"), Broken("broken"), sound], clock).run())
    async with asyncio.timeout(5):
        while not sound.taken:
            await asyncio.sleep(0.001)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
