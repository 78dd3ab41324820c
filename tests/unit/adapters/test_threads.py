"""Threads that do what would block an event loop."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator

import pytest

from pinfold.adapters.threads import Closed, Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads(3, "aside")
    yield threads
    await asyncio.to_thread(threads.close)


def running(name: str) -> int:
    return sum(thread.name.startswith(f"{name}_") for thread in threading.enumerate())


def fail() -> None:
    raise IndexError


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_is_done_answers_on_the_event_loop(threads: Threads) -> None:
    names = await asyncio.gather(*(threads.run(lambda: threading.current_thread().name) for _ in range(50)))
    assert {name.rpartition("_")[0] for name in names} == {"aside"}


async def test_what_fails_fails_for_whoever_waits_and_for_nobody_else(threads: Threads) -> None:
    failing = [threads.run(fail) for _ in range(10)]
    assert await threads.run(lambda: "done") == "done"
    for each in failing:
        with pytest.raises(IndexError):
            await each


async def test_an_interrupt_in_a_thread_is_told_as_well(threads: Threads) -> None:
    def leave() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await threads.run(leave)
    assert await threads.run(lambda: 1) == 1


async def test_threads_begin_as_they_are_needed_and_no_more_than_may_be(threads: Threads) -> None:
    assert running("aside") == 0
    for _ in range(20):
        await threads.run(lambda: None)
        # It is idle only once it has told of that.
        await asyncio.sleep(0.002)
    assert running("aside") == 1
    go_on = threading.Event()
    held = [threads.run(lambda: go_on.wait(10)) for _ in range(10)]
    await until(lambda: running("aside") == 3)
    go_on.set()
    assert all(await asyncio.gather(*held))
    assert running("aside") == 3


async def test_one_that_takes_long_keeps_nothing_from_others(threads: Threads) -> None:
    for _ in range(200):
        await asyncio.gather(*(threads.run(lambda: None) for _ in range(2)))
    go_on = threading.Event()
    held = [threads.run(lambda: go_on.wait(10)) for _ in range(2)]
    async with asyncio.timeout(5):
        assert await threads.run(lambda: "done") == "done"
    go_on.set()
    await asyncio.gather(*held)


async def test_whoever_stops_waiting_leaves_it_to_be_done(threads: Threads) -> None:
    go_on, done = threading.Event(), threading.Event()
    held = [threads.run(lambda: go_on.wait(10)) for _ in range(3)]
    unwanted = threads.run(done.set)
    unwanted.cancel()
    go_on.set()
    await asyncio.gather(*held)
    assert await asyncio.to_thread(done.wait, 10)
    assert await threads.run(lambda: 1) == 1


async def test_closing_waits_for_what_was_begun_and_takes_nothing_more(threads: Threads) -> None:
    done: list[int] = []

    def work() -> None:
        time.sleep(0.01)
        done.append(1)

    for _ in range(8):
        threads.begin(work)
    await asyncio.to_thread(threads.close)
    assert len(done) == 8
    assert running("aside") == 0
    with pytest.raises(Closed):
        threads.begin(work)
    with pytest.raises(Closed):
        threads.run(work)


async def test_a_system_that_lets_no_thread_begin_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, done = Threads(2, "refused"), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Closed, match="no thread can be started"):
            threads.begin(lambda: done.append("what was refused"))
    go_on = threading.Event()
    held = threads.run(lambda: go_on.wait(10))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        second = threads.run(lambda: done.append("by the only one"))
    go_on.set()
    async with asyncio.timeout(5):
        await asyncio.gather(held, second)
    threads.close()
    assert done == ["by the only one"]


async def test_what_nobody_waits_for_may_fail(threads: Threads, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        threads.begin(fail)
        assert await threads.run(lambda: 1) == 1
        await until(lambda: caplog.records)
    assert "nobody waits for it" in caplog.text


async def test_threads_that_nobody_knows_of_end() -> None:
    forgotten = Threads(2, "forgotten")
    await forgotten.run(lambda: None)
    assert running("forgotten") == 1
    del forgotten
    gc.collect()
    await until(lambda: running("forgotten") == 0)


def test_what_outlives_its_event_loop_is_told_to_nobody() -> None:
    threads, go_on = Threads(1, "outliving"), threading.Event()

    async def begin() -> None:
        threads.run(lambda: go_on.wait(10))

    asyncio.run(begin())
    go_on.set()
    threads.close()
    assert running("outliving") == 0
