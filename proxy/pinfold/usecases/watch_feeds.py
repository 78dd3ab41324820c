"""Refreshing the advisory feeds in the background, by one process at a time for all."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pinfold.domain.duration import short_duration
from pinfold.domain.errors import PinfoldError
from pinfold.ports.advisories import AdvisoryStore, FeedSource, FeedState
from pinfold.ports.clock import Clock
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.turns import TakeTurn
from pinfold.usecases.refresh_feed import Refreshed, RefreshFeed

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often a process looks whether something is to be done, or was done by another one."""
STALE_AFTER = timedelta(hours=24)
"""The age, since a source last confirmed it, at which a snapshot is worth an alarm whatever the interval."""
STALE_INTERVALS = 4
REMIND_AFTER = timedelta(hours=6)
"""How long an alarm lasts before it is raised again."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed in use: where it comes from, and how often it is looked at."""

    source: FeedSource
    interval: timedelta

    @property
    def name(self) -> str:
        """The feed's name in the settings."""
        return self.source.name

    def stale_after(self) -> timedelta:
        """Return the age at which its snapshot counts as stale."""
        return max(STALE_AFTER, STALE_INTERVALS * self.interval)


Alarm = Callable[[str, str, dict[str, Any]], Awaitable[None]]
"""Lets people hear of something: its kind, a line, and its facts; raises StoreError."""


class WatchFeeds:
    """Looks after all feeds until it is cancelled."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        refresh: RefreshFeed,
        store: AdvisoryStore,
        turn: TakeTurn,
        clock: Clock,
        telemetry: Telemetry,
        alarm: Alarm,
    ) -> None:
        self._feeds = feeds
        self._alarm = alarm
        self._refresh = refresh
        self._store = store
        self._turn = turn
        self._clock = clock
        self._telemetry = telemetry

    async def run(self) -> None:
        """Refresh each feed by its interval; what fails is logged, and tried again."""
        await asyncio.gather(*map(self._watch, self._feeds))

    async def _watch(self, feed: Feed) -> None:
        # Processes and installations that started together do not stay together.
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, hides nothing
        while True:
            try:
                state = await self._store.state(feed.name)
                if self._is_due(feed, state, jitter):
                    with self._turn(feed.name) as ours:
                        if ours:
                            await self._refresh_in_turn(feed, jitter)
                            state = await self._store.state(feed.name)
                self._tell(state)
                if self._is_alarming(feed, state):
                    with self._turn(feed.name) as ours:
                        if ours:
                            await self._raise_alarm(feed)
            except PinfoldError as error:
                log.warning("advisory feed %s is not refreshed: %s", feed.name, error)
            except Exception:
                log.exception("advisory feed %s is not refreshed", feed.name)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_alarming(self, feed: Feed, state: FeedState) -> bool:
        """Tell whether a snapshot is stale and nobody heard of it for a while."""
        told = state.alarmed_at
        return is_stale(feed, state, self._clock) and (told is None or self._clock.now() - told >= REMIND_AFTER)

    async def _raise_alarm(self, feed: Feed) -> None:
        # Another process may have had its turn just before.
        state = await self._store.state(feed.name)
        if not self._is_alarming(feed, state):
            return
        title = f"advisory feed {feed.name} is stale: {age_of(state, self._clock)}"
        facts = {"feed": feed.name, "source": feed.source.address, "failure": state.failure or None}
        await self._alarm("feed.stale", title, facts)
        await self._store.save(feed.name, replace(state, alarmed_at=self._clock.now()))

    async def _refresh_in_turn(self, feed: Feed, jitter: float) -> None:
        # Another process may have had its turn just before.
        state = await self._store.state(feed.name)
        if not self._is_due(feed, state, jitter):
            return
        try:
            _log_refreshed(feed.name, await self._refresh.refresh(feed.source, _silent))
        except PinfoldError as error:
            if state.snapshot is None and not state.failure:
                log.warning(
                    "advisory feed %s cannot be loaded, so that rules which ask for advisories find nothing known: %s; "
                    'let [feeds.%s] source name a mirror, a zip or a folder, or set it to "" to do without',
                    feed.name,
                    error,
                    feed.name,
                )
            elif str(error) != state.failure:
                log.warning("advisory feed %s is not refreshed: %s", feed.name, error)

    def _is_due(self, feed: Feed, state: FeedState, jitter: float) -> bool:
        seen = [moment for moment in (state.checked_at, state.failed_at) if moment is not None]
        if not seen or (state.address != feed.source.address and not state.failure):
            return True
        # A failing source is asked no more often than one that works.
        return self._clock.now() - max(seen) >= feed.interval * jitter

    def _tell(self, state: FeedState) -> None:
        if state.snapshot is not None:
            self._telemetry.feed(state.snapshot, state.checked_at)


def is_stale(feed: Feed, state: FeedState, clock: Clock) -> bool:
    """Tell whether a feed's snapshot was confirmed so long ago that somebody should look after it."""
    return state.checked_at is not None and clock.now() - state.checked_at >= feed.stale_after()


def age_of(state: FeedState, clock: Clock) -> str:
    """Return in words when a feed's source last confirmed the snapshot, and why not since."""
    if state.checked_at is None:
        return f"never loaded: {state.failure}" if state.failure else "never loaded"
    age = f"confirmed {short_duration(clock.now() - state.checked_at)} ago"
    return f"{age}; since then: {state.failure}" if state.failure else age


def _log_refreshed(name: str, refreshed: Refreshed) -> None:
    if refreshed.changed:
        snapshot = refreshed.snapshot
        log.info("advisory feed %s: %d records, snapshot %s", name, snapshot.records, snapshot.sha256[:12])


def _silent(_what: str, _done: int, _of: int | None) -> None:
    return
