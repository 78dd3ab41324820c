import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from pinfold.ports.checkpoints import NotKept
from pinfold.usecases import publish_checkpoints
from pinfold.usecases.publish_checkpoints import PublishCheckpoints

INTERVAL = timedelta(milliseconds=10)


class Sink:
    name = "sink"

    def __init__(self, failures: int = 0) -> None:
        self.kept: list[bytes] = []
        self.failures = failures
        self.attempts = 0
        self.stuck = False

    async def keep(self, note: bytes) -> None:
        self.attempts += 1
        if self.stuck:
            await asyncio.sleep(60)
        if self.attempts <= self.failures:
            raise NotKept("it is away")
        self.kept.append(note)


class Log:
    def __init__(self) -> None:
        self.note = b"1"

    async def latest(self) -> bytes:
        return self.note


@contextmanager
def ours(_name: str) -> Iterator[bool]:
    yield True


@contextmanager
def theirs(_name: str) -> Iterator[bool]:
    yield False


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(sink: Sink, count: int) -> None:
    async with asyncio.timeout(5):
        while len(sink.kept) < count:
            await asyncio.sleep(0.005)


async def test_each_new_checkpoint_is_kept_once_and_the_last_one_at_the_end() -> None:
    log, sink = Log(), Sink()
    task = asyncio.create_task(PublishCheckpoints(log.latest, [sink], INTERVAL, ours).run())
    await until(sink, 1)
    await asyncio.sleep(0.05)
    log.note = b"2"
    await until(sink, 2)
    log.note = b"3"
    await stop(task)
    assert sink.kept == [b"1", b"2", b"3"]


async def test_a_sink_that_is_away_gets_the_latest_later(caplog: pytest.LogCaptureFixture) -> None:
    log, sink = Log(), Sink(failures=2)
    task = asyncio.create_task(PublishCheckpoints(log.latest, [sink], INTERVAL, ours).run())
    await until(sink, 1)
    await stop(task)
    assert sink.kept == [b"1"]
    assert "it is away" in caplog.text


async def test_no_sink_holds_up_another_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_checkpoints, "LAST_SECONDS", 0.05)
    log, stuck, sink = Log(), Sink(), Sink()
    stuck.stuck = True
    task = asyncio.create_task(PublishCheckpoints(log.latest, [stuck, sink], INTERVAL, ours).run())
    await until(sink, 1)
    async with asyncio.timeout(2):
        await stop(task)


async def test_one_process_does_it_for_all() -> None:
    log, sink = Log(), Sink()
    task = asyncio.create_task(PublishCheckpoints(log.latest, [sink], INTERVAL, theirs).run())
    await asyncio.sleep(0.05)
    await stop(task)
    assert sink.attempts == 0
