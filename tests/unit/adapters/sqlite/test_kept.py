import asyncio

from pinfold.adapters.sqlite.kept import TRUSTED_SECONDS, Kept
from pinfold.domain.errors import StoreError


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


async def test_what_was_seen_just_now_is_not_looked_at_again():
    looks = Looks()
    kept = Kept(looks, 0)
    assert [await kept.current() for _ in range(10)] == [1] * 10
    await asyncio.sleep(TRUSTED_SECONDS)
    assert await kept.current() == 2


async def test_many_who_ask_at_once_cost_one_look():
    looks = Looks()
    kept = Kept(looks, 0)
    assert await asyncio.gather(*(kept.current() for _ in range(50))) == [1] * 50


async def test_one_who_gives_up_does_not_take_the_answer_from_the_others():
    looks = Looks()
    looks.gate = asyncio.Event()
    kept = Kept(looks, 0)
    first, second = (asyncio.create_task(kept.current()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    looks.gate.set()
    assert await second == 1


async def test_a_look_that_began_before_a_change_does_not_outlive_it():
    looks = Looks()
    looks.gate = asyncio.Event()
    kept = Kept(looks, 0)
    before = asyncio.create_task(kept.current())
    await asyncio.sleep(0.01)
    kept.distrust()
    after = asyncio.create_task(kept.current())
    await asyncio.sleep(0.01)
    looks.gate.set()
    assert (await before, await after) == (1, 2)
    assert await kept.current() == 2


async def test_a_failure_is_everybodys_and_not_kept():
    looks = Looks()
    looks.failure = StoreError("gone")
    kept = Kept(looks, 0)
    results = await asyncio.gather(*(kept.current() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    looks.failure = None
    assert await kept.current() == 2


async def test_a_renewed_look_begins_after_it_was_asked_for():
    looks = Looks()
    kept = Kept(looks, 0)
    assert await kept.current() == 1
    assert await kept.renewed() == 2
    assert await kept.current() == 2
    looks.gate = asyncio.Event()
    first = asyncio.create_task(kept.renewed())
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(kept.renewed()) for _ in range(20)]
    await asyncio.sleep(0.01)
    looks.gate.set()
    assert await first == 3
    assert await asyncio.gather(*later) == [4] * 20, "those who came during a look share the next, and no more"


async def test_a_renewed_look_that_fails_is_followed_by_another():
    looks = Looks()
    kept = Kept(looks, 0)
    looks.failure = StoreError("gone")
    results = await asyncio.gather(*(kept.renewed() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 3
    looks.failure = None
    assert await kept.renewed() == looks.count
