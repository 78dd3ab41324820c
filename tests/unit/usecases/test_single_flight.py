import asyncio

import pytest

from pinfold.usecases.single_flight import OneAtATime, SingleFlight


class Work:
    def __init__(self, error=None):
        self.runs = 0
        self.error = error
        self.go = asyncio.Event()

    async def __call__(self):
        self.runs += 1
        await self.go.wait()
        if self.error:
            raise self.error
        return self.runs


async def test_concurrent_callers_share_one_run():
    flight, work = SingleFlight(), Work()
    callers = [asyncio.create_task(flight.run("key", work)) for _ in range(20)]
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(*callers) == [1] * 20


async def test_a_caller_that_gives_up_leaves_the_run_to_the_others():
    flight, work = SingleFlight(), Work()
    first, second = (asyncio.create_task(flight.run("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    work.go.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_all_callers_see_the_error_and_the_next_one_tries_again():
    flight, failing = SingleFlight(), Work(error=ValueError("down"))
    failing.go.set()
    outcomes = await asyncio.gather(*(flight.run("key", failing) for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["down"] * 3
    working = Work()
    working.go.set()
    assert await flight.run("key", working) == 1


async def test_keys_do_not_wait_for_each_other():
    flight, blocked, free = SingleFlight(), Work(), Work()
    waiting = asyncio.create_task(flight.run("blocked", blocked))
    free.go.set()
    assert await flight.run("free", free) == 1
    blocked.go.set()
    assert await waiting == 1


async def test_an_error_that_nobody_waits_for_any_more_is_no_complaint_at_shutdown():
    flight, failing = SingleFlight(), Work(error=ValueError("down"))
    caller = asyncio.create_task(flight.run("key", failing))
    await asyncio.sleep(0)
    caller.cancel()
    failing.go.set()
    await asyncio.sleep(0.01)
    await flight.close()


async def test_turns_come_one_at_a_time_for_each_key():
    turns, made, running = OneAtATime(), {}, []

    async def make(key):
        async with turns.turn(key):
            if key not in made:
                running.append(key)
                await asyncio.sleep(0)
                made[key] = key.upper()
            return made[key]

    assert await asyncio.gather(*(make(key) for key in "aabab")) == list("AABAB")
    assert running == ["a", "b"]
    assert not turns._locks
