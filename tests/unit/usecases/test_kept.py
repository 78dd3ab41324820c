import asyncio

import pytest

from pinfold.domain.errors import StoreError
from pinfold.usecases import kept as module
from pinfold.usecases.kept import Kept
from pinfold.usecases.present import AHEAD_SECONDS, TRUSTED_SECONDS, Present


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


class Looks:
    def __init__(self):
        self.count = 0
        self.failure = None
        self.gate = None

    async def __call__(self, kept):
        self.count += 1
        count = self.count
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return count


async def test_what_was_seen_just_now_is_not_looked_at_again(clock):
    looks = Looks()
    kept = Kept(looks, 0, Present())
    assert [await kept.current() for _ in range(10)] == [1] * 10
    clock.now += TRUSTED_SECONDS
    assert await kept.current() == 2


async def test_many_who_ask_at_once_cost_one_look():
    looks = Looks()
    kept = Kept(looks, 0, Present())
    assert await asyncio.gather(*(kept.current() for _ in range(50))) == [1] * 50


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others():
    looks = Looks()
    looks.gate = asyncio.Event()
    kept = Kept(looks, 0, Present())
    first, second = (asyncio.create_task(kept.current()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    looks.gate.set()
    assert await second == 1


async def test_a_look_that_began_before_a_change_does_not_outlive_it():
    looks = Looks()
    looks.gate = asyncio.Event()
    kept = Kept(looks, 0, Present())
    before = asyncio.create_task(kept.current())
    await settle()
    kept.distrust()
    after = asyncio.create_task(kept.current())
    await settle()
    looks.gate.set()
    assert (await before, await after) == (1, 2)
    assert await kept.current() == 2


async def test_a_failure_is_everybodys_and_not_kept():
    looks = Looks()
    looks.failure = StoreError("gone")
    kept = Kept(looks, 0, Present())
    results = await asyncio.gather(*(kept.current() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    looks.failure = None
    assert await kept.current() == 2


async def test_a_renewed_look_begins_after_it_was_asked_for():
    looks = Looks()
    kept = Kept(looks, 0, Present())
    assert await kept.current() == 1
    assert await kept.renewed() == 2
    assert await kept.current() == 2
    looks.gate = asyncio.Event()
    first = asyncio.create_task(kept.renewed())
    await settle()
    later = [asyncio.create_task(kept.renewed()) for _ in range(20)]
    await settle()
    looks.gate.set()
    assert await first == 3
    assert await asyncio.gather(*later) == [4] * 20, "those who came during a look share the next, and no more"


async def test_a_renewed_look_that_fails_is_followed_by_another():
    looks = Looks()
    kept = Kept(looks, 0, Present())
    looks.failure = StoreError("gone")
    results = await asyncio.gather(*(kept.renewed() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    looks.failure = None
    assert await kept.renewed() == looks.count


async def test_who_asks_again_and_again_never_waits_for_a_look(clock):
    looks = Looks()
    kept = Kept(looks, 0, Present())
    assert await kept.current() == 1
    clock.now += TRUSTED_SECONDS - AHEAD_SECONDS
    looks.gate = asyncio.Event()
    assert [await asyncio.wait_for(kept.current(), 30) for _ in range(3)] == [1] * 3
    looks.gate.set()
    await settle()
    assert (await kept.current(), looks.count) == (2, 2)


async def test_what_was_looked_at_ahead_is_trusted_from_when_that_look_began(clock):
    looks = Looks()
    kept = Kept(looks, 0, Present())
    await kept.current()
    clock.now += TRUSTED_SECONDS - AHEAD_SECONDS
    looks.gate = asyncio.Event()
    await kept.current()
    await settle()
    clock.now += TRUSTED_SECONDS
    waiting = asyncio.create_task(kept.current())
    await settle()
    assert not waiting.done(), "nothing is trusted any more"
    looks.gate.set()
    assert await waiting == 2
    assert await kept.current() == 3


async def test_a_look_ahead_that_fails_is_nobodys_and_the_state_is_given_no_longer_than_before(clock):
    looks = Looks()
    kept = Kept(looks, 0, Present())
    await kept.current()
    looks.failure = StoreError("gone")
    clock.now += TRUSTED_SECONDS - AHEAD_SECONDS
    assert await kept.current() == 1
    clock.now += AHEAD_SECONDS
    with pytest.raises(StoreError):
        await kept.current()


async def test_a_look_ahead_that_began_before_a_change_does_not_outlive_it(clock):
    looks = Looks()
    kept = Kept(looks, 0, Present())
    await kept.current()
    clock.now += TRUSTED_SECONDS - AHEAD_SECONDS
    looks.gate = asyncio.Event()
    assert await kept.current() == 1
    await settle()
    kept.distrust()
    after = asyncio.create_task(kept.current())
    await settle()
    looks.gate.set()
    assert await after == 3
    assert await kept.current() == 3
