"""A thread that is woken to do one thing after the other."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from pinfold.adapters.woken_thread import WokenThread


@pytest.fixture
def thread() -> Iterator[WokenThread]:
    thread = WokenThread("aside")
    yield thread
    thread.close()


def fail() -> None:
    raise ValueError("out of order")


def open_pipes() -> set[str]:
    """Return the kernel's names of all pipes that this process has open."""
    names = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The folder itself was open while it was listed.
        with suppress(FileNotFoundError):
            names.add(str(descriptor.readlink()))
    return {name for name in names if name.startswith("pipe:")}


async def test_what_it_is_given_is_done_in_turn_and_told_to_the_event_loop(thread: WokenThread) -> None:
    done: list[tuple[int, threading.Thread]] = []
    told: list[threading.Thread] = []
    all_told = asyncio.Event()

    def tell(error: Exception | None) -> None:
        assert error is None
        told.append(threading.current_thread())
        if len(told) == 100:
            all_told.set()

    for number in range(100):
        thread.do(lambda number=number: done.append((number, threading.current_thread())), tell)
    async with asyncio.timeout(10):
        await all_told.wait()
    assert [number for number, _ in done] == list(range(100))
    assert {by.name for _, by in done} == {"aside"}
    assert set(told) == {threading.current_thread()}


async def test_what_fails_is_told_and_keeps_nothing_from_being_done(thread: WokenThread) -> None:
    outcomes: asyncio.Queue[Exception | None] = asyncio.Queue()
    thread.do(fail, outcomes.put_nowait)
    thread.do(lambda: None, outcomes.put_nowait)
    async with asyncio.timeout(10):
        assert str(await outcomes.get()) == "out of order"
        assert await outcomes.get() is None


async def test_it_is_closed_once_all_is_done() -> None:
    thread = WokenThread("aside")
    done: list[int] = []
    thread.do(partial(time.sleep, 0.05), lambda _: None)
    thread.do(partial(done.append, 1), lambda _: None)
    await asyncio.to_thread(thread.close)
    assert done == [1]


async def test_one_that_nobody_knows_of_any_more_ends() -> None:
    before = open_pipes()
    thread = WokenThread("forgotten")
    (pipe,) = open_pipes() - before
    (running,) = (each for each in threading.enumerate() if each.name == "forgotten")
    del thread
    gc.collect()
    running.join(10)
    assert not running.is_alive()
    assert pipe not in open_pipes()


def test_where_the_event_loop_is_gone_the_rest_is_done_all_the_same() -> None:
    thread = WokenThread("aside")
    begin = threading.Event()
    done: list[int] = []

    async def give() -> None:
        thread.do(lambda: done.append(begin.wait(10)), lambda _: None)
        thread.do(partial(done.append, 2), lambda _: None)

    asyncio.run(give())
    begin.set()
    thread.close()
    assert done == [True, 2]
