import asyncio
import sys
from threading import Event

import pytest

from pinfold.usecases.beside_the_loop import SWITCH_SECONDS, beside_the_loop


async def test_what_work_returns_or_raises_is_passed_on() -> None:
    assert await beside_the_loop(lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        await beside_the_loop(lambda: 1 // 0)


async def test_threads_are_switched_often_until_the_last_work_is_done() -> None:
    usual = sys.getswitchinterval()
    first, second = Event(), Event()
    works = [asyncio.create_task(beside_the_loop(end.wait)) for end in (first, second)]
    await asyncio.sleep(0)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    first.set()
    await works[0]
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    second.set()
    await works[1]
    assert sys.getswitchinterval() == pytest.approx(usual)


async def test_work_that_nobody_waits_for_any_more_or_that_fails_leaves_no_trace() -> None:
    usual = sys.getswitchinterval()
    end = Event()
    given_up = asyncio.create_task(beside_the_loop(end.wait))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    end.set()
    with pytest.raises(ZeroDivisionError):
        await beside_the_loop(lambda: 1 // 0)
    assert sys.getswitchinterval() == pytest.approx(usual)
