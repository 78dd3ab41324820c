"""Who refreshes feeds, when, and what is said about it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.clock import NOON, FakeClock

from pinfold.adapters.filesystem.turns import Turns
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.domain.advisory import Snapshot
from pinfold.domain.errors import FeedError
from pinfold.ports.advisories import FeedState
from pinfold.usecases import watch_feeds
from pinfold.usecases.refresh_feed import Refreshed
from pinfold.usecases.watch_feeds import REMIND_AFTER, Feed, WatchFeeds, age_of, is_stale

SNAPSHOT = Snapshot("osv", "a" * 64, NOON, 7)
INTERVAL = timedelta(minutes=15)


class Source:
    name = "osv"
    address = "https://feeds.example/all.zip"


class Site:
    """A store and a refresh that only take note of what they are asked."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.telemetry = PrometheusTelemetry()
        self.current = FeedState()
        self.refreshed = 0
        self.failure = ""
        self.looks = 0
        self.looked = asyncio.Event()
        self.feed = Feed(Source(), INTERVAL)
        self.alarms: list[tuple[str, str]] = []

    async def state(self, feed: str) -> FeedState:
        self.looks += 1
        self.looked.set()
        return self.current

    async def refresh(self, source: Source, progress: object) -> Refreshed:
        self.refreshed += 1
        now = self.clock.now()
        if self.failure:
            self.current = FeedState(
                self.current.snapshot,
                source.address,
                checked_at=self.current.checked_at,
                failed_at=now,
                failure=self.failure,
            )
            raise FeedError(self.failure)
        self.current = FeedState(SNAPSHOT, source.address, checked_at=now)
        return Refreshed(SNAPSHOT, changed=True, whole=True)

    async def save(self, feed: str, state: FeedState) -> None:
        self.current = state

    async def alarm(self, kind: str, title: str, facts: dict[str, object]) -> None:
        assert facts["source"] == Source.address
        self.alarms.append((kind, title))

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        yield True

    @asynccontextmanager
    async def watched(self, turn=None) -> AsyncIterator[None]:
        watch = WatchFeeds([self.feed], self, self, turn or self.turn, self.clock, self.telemetry, self.alarm)
        work = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def look(self) -> None:
        """Wait until the watch has looked twice more: the first look may have been under way."""
        until = self.looks + 4
        async with asyncio.timeout(5):
            while self.looks < until:
                self.looked.clear()
                await self.looked.wait()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(watch_feeds, "LOOK_SECONDS", 0.001)
    return Site()


async def test_refreshes_at_once_and_then_by_the_interval_give_or_take(site: Site) -> None:
    async with site.watched():
        await site.look()
        assert site.refreshed == 1
        site.clock.advance(INTERVAL * 0.89)
        await site.look()
        assert site.refreshed == 1
        site.clock.advance(INTERVAL * 0.22)
        await site.look()
        assert site.refreshed == 2


async def test_what_another_process_refreshed_is_left_alone_and_counted(site: Site) -> None:
    site.current = FeedState(SNAPSHOT, Source.address, checked_at=NOON)
    async with site.watched():
        await site.look()
    assert site.refreshed == 0
    metrics = site.telemetry.render().decode()
    assert 'pinfold_feed_records{feed="osv"} 7.0' in metrics
    assert f'pinfold_feed_checked_timestamp_seconds{{feed="osv"}} {NOON.timestamp()!r}'.split(" ")[0] in metrics


async def test_without_a_turn_nothing_is_refreshed(site: Site, tmp_path) -> None:
    turns = Turns(tmp_path)
    with turns.take("osv") as ours:
        assert ours
        async with site.watched(Turns(tmp_path).take):
            await site.look()
            assert site.refreshed == 0
    async with site.watched(Turns(tmp_path).take):
        await site.look()
    assert site.refreshed == 1


async def test_failing_source_is_asked_no_more_often_and_told_of_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.failure = "its host name cannot be resolved"
    with caplog.at_level(logging.WARNING):
        async with site.watched():
            await site.look()
            assert site.refreshed == 1
            site.clock.advance(INTERVAL * 1.2)
            await site.look()
            assert site.refreshed == 2
    (told,) = [record.getMessage() for record in caplog.records]
    assert "its host name cannot be resolved" in told
    assert "[feeds.osv] source" in told


async def test_stale_snapshot_raises_an_alarm_once_in_a_while_and_once_for_all_processes(site: Site) -> None:
    stale = ("feed.stale", "advisory feed osv is stale: confirmed 1 d ago; since then: no answer")
    site.current = FeedState(SNAPSHOT, Source.address, checked_at=NOON, failure="no answer", failed_at=NOON)
    site.failure = "no answer"
    site.clock.advance(timedelta(hours=25))
    async with site.watched(), site.watched():
        await site.look()
        await site.look()
        assert site.alarms == [stale]
        site.current = replace(site.current, failed_at=site.clock.now() + REMIND_AFTER)
        site.clock.advance(REMIND_AFTER)
        await site.look()
        assert site.alarms == [stale, stale]


async def test_a_snapshot_that_is_confirmed_again_alarms_nobody(site: Site) -> None:
    site.current = FeedState(SNAPSHOT, Source.address, checked_at=NOON)
    site.clock.advance(timedelta(hours=25))
    async with site.watched():
        await site.look()
    assert (site.refreshed, site.alarms) == (1, [])


async def test_surprise_does_not_end_the_watch(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def surprised(source: object, progress: object) -> Refreshed:
        site.refreshed += 1
        raise ValueError("surprise")

    site.refresh = surprised
    async with site.watched():
        await site.look()
    assert site.refreshed > 1
    assert "is not refreshed" in caplog.text


def test_staleness_goes_by_the_last_confirmation() -> None:
    clock = FakeClock()
    state = FeedState(SNAPSHOT, checked_at=NOON)
    clock.advance(timedelta(hours=23))
    assert not is_stale(Feed(Source(), INTERVAL), state, clock)
    clock.advance(timedelta(hours=1))
    assert is_stale(Feed(Source(), INTERVAL), state, clock)
    assert not is_stale(Feed(Source(), timedelta(days=1)), state, clock)
    assert not is_stale(Feed(Source(), INTERVAL), FeedState(), clock)
    assert age_of(FeedState(), clock) == "never loaded"
    assert age_of(FeedState(failure="no answer"), clock) == "never loaded: no answer"
