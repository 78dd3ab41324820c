import asyncio
from collections.abc import Iterator

import pytest

from pinfold.domain.errors import StoreError
from pinfold.usecases import kept as kept_module
from pinfold.usecases import present as module
from pinfold.usecases.kept import Kept
from pinfold.usecases.present import AHEAD_SECONDS, TRUSTED_SECONDS, Present


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store:
    """Something that anybody may change, and that one may fail to look at."""

    def __init__(self, present: Present) -> None:
        self.state = "first"
        self.failure: StoreError | None = None
        self.gate: asyncio.Event | None = None
        self.looks = 0
        self.kept = Kept(self._look, "", present)

    async def _look(self, before: str) -> str:
        self.looks += 1
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return before if before == self.state else self.state


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    for each in (module, kept_module):
        monkeypatch.setattr(each, "monotonic", clock)
    return clock


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def a_present(*stores: str) -> tuple[Present, list[Store]]:
    present = Present()
    made = [Store(present) for _ in stores]
    for store in made:
        await store.kept.current()
    return present, made


def stands(present: Present, revision: int, clock: Clock) -> bool:
    return present.stands_until(revision) > clock.now


async def test_it_stands_for_as_long_as_all_was_looked_at_just_now(clock: Clock) -> None:
    present, (first, _) = await a_present("first", "second")
    assert present.stands_until(present.revision) == clock.now + TRUSTED_SECONDS
    clock.now += 0.2
    first.kept.distrust()
    await first.kept.current()
    assert present.stands_until(present.revision) == pytest.approx(clock.now + 0.05), "the other one's"
    clock.now += 0.06
    assert not stands(present, present.revision, clock)


async def test_who_asks_again_and_again_is_told_of_later_and_later_and_waits_for_nothing(clock: Clock) -> None:
    present, (store,) = await a_present("store")
    revision = present.revision
    for _ in range(100):
        clock.now += 0.05
        assert stands(present, revision, clock)
        await settle()
    assert store.looks == pytest.approx(5 / (TRUSTED_SECONDS - AHEAD_SECONDS), abs=10)


async def test_what_another_process_changes_is_seen_by_the_next_look(clock: Clock) -> None:
    present, (_, store) = await a_present("first", "second")
    revision = present.revision
    store.state = "second"
    clock.now += TRUSTED_SECONDS
    assert not stands(present, revision, clock)
    await present.look()
    assert not stands(present, revision, clock)
    assert stands(present, present.revision, clock)


async def test_what_this_process_changes_is_seen_at_once(clock: Clock) -> None:
    present, (store,) = await a_present("store")
    revision = present.revision
    store.state = "second"
    store.kept.distrust()
    assert not stands(present, revision, clock)
    await present.look()
    assert not stands(present, revision, clock)


async def test_what_cannot_be_looked_at_lets_nothing_stand_and_raises_for_nobody_else(clock: Clock) -> None:
    present, (store, _) = await a_present("first", "second")
    revision, store.failure = present.revision, StoreError("gone")
    clock.now += TRUSTED_SECONDS
    for _ in range(3):
        await present.look()
        assert not stands(present, revision, clock)
    with pytest.raises(StoreError):
        await store.kept.current()
    store.failure = None
    await present.look()
    assert stands(present, revision, clock), "it is as it was"


async def test_what_was_never_asked_for_is_not_looked_at_and_once_it_is_counts(clock: Clock) -> None:
    present, _ = await a_present("store")
    late = Store(present)
    await present.look()
    assert late.looks == 0
    revision, late.failure = present.revision, StoreError("gone")
    assert stands(present, revision, clock)
    with pytest.raises(StoreError):
        await late.kept.current()
    assert not stands(present, revision, clock)


async def test_where_nothing_is_looked_at_nothing_stands(clock: Clock) -> None:
    present = Present()
    await present.look()
    assert not stands(present, present.revision, clock)


async def test_a_change_ends_what_began_before_it(clock: Clock) -> None:
    present, _ = await a_present("store")
    revision = present.revision
    present.change()
    assert not stands(present, revision, clock)
    assert stands(present, present.revision, clock)


async def test_whoever_asks_for_what_there_is_not_ends_nothing_for_others(clock: Clock) -> None:
    present, (store,) = await a_present("store")
    asking = asyncio.create_task(store.kept.renewed())
    while store.looks < 2:
        await asyncio.sleep(0)
    assert not asking.done()
    assert stands(present, present.revision, clock)
    assert await store.kept.current() == "first", "nobody else waits for the look"
    assert not asking.done()
    assert await asking == "first"


async def test_a_store_that_does_not_answer_keeps_nobody_waiting_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    present, (store,) = await a_present("store")
    revision, store.gate = present.revision, asyncio.Event()
    store.kept.distrust()
    await asyncio.wait_for(present.look(), timeout=30)
    assert present.stands_until(revision) == 0.0
    store.gate.set()
    await settle()
    assert present.stands_until(revision) > 0.0, "the look went on all the same"


async def test_many_who_wait_share_a_look() -> None:
    present, (store,) = await a_present("store")
    store.kept.distrust()
    await asyncio.gather(*(present.look() for _ in range(50)))
    assert store.looks == 2
