"""Keeping an advisory feed up to date: first whole, then by what changed, and whole again once in a while."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pinfold.advisories.osv_record import Record, read_record
from pinfold.domain.advisory import Snapshot
from pinfold.domain.audit_entry import SYSTEM, Actor
from pinfold.domain.errors import FeedError, InvalidAdvisory
from pinfold.ports.advisories import AdvisoryStore, ChangeList, FeedSource, FeedState, Progress
from pinfold.ports.clock import Clock
from pinfold.ports.telemetry import Telemetry
from pinfold.usecases.announce import Announce

log = logging.getLogger(__name__)

WHOLE_AFTER = timedelta(days=1)
"""How long a feed is kept up by changes alone: no list tells of records that were taken out."""
MOST_CHANGES = 1_000
"""Records that are fetched one by one; for more of them the whole is quicker."""
AT_ONCE = 8
FEWEST_LEFT = 0.5
"""The share of its records that a feed may shrink to, from one time to the next, before that looks like an accident."""
MOST_SKIPPED = 0.02
"""The share of a feed's records that may be unreadable."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh came to."""

    snapshot: Snapshot
    changed: bool
    """Whether the contents are other ones than before."""
    whole: bool
    """Whether they were read as a whole."""
    skipped: int = 0
    projects: frozenset[str] | None = None
    """Which projects other things are said of than before, where that is known."""


class RefreshFeed:
    """Refreshes feeds; what cannot be taken over leaves the present snapshot in force."""

    def __init__(self, store: AdvisoryStore, announce: Announce, clock: Clock, telemetry: Telemetry) -> None:
        self._store = store
        self._announce = announce
        self._clock = clock
        self._telemetry = telemetry

    async def refresh(
        self, source: FeedSource, progress: Progress, *, anew: bool = False, actor: Actor = SYSTEM
    ) -> Refreshed:
        """Bring a feed up to date; raises FeedError and StoreError, having noted the failure.

        What is read anew is compared with nothing that was there before.
        """
        state = await self._store.state(source.name)
        if state.snapshot is not None:
            # Whoever put it in force may not have lived to say so.
            await self._announce.feed(state.snapshot)
        try:
            refreshed = await self._refresh(source, FeedState() if anew else state, progress)
        except FeedError as error:
            await self._store.save(source.name, replace(state, failed_at=self._clock.now(), failure=str(error)))
            raise
        self._telemetry.feed(refreshed.snapshot, self._clock.now())
        await self._announce.feed(refreshed.snapshot, refreshed.projects, actor)
        return refreshed

    async def _refresh(self, source: FeedSource, state: FeedState, progress: Progress) -> Refreshed:
        known = state.snapshot is not None and state.address == source.address
        if known and state.whole_at is not None and self._clock.now() - state.whole_at < WHOLE_AFTER:
            refreshed = await self._by_changes(source, state, progress)
            if refreshed is not None:
                return refreshed
        return await self._whole(source, state if known else replace(state, mark="", changes_mark=""), progress)

    async def _by_changes(self, source: FeedSource, state: FeedState, progress: Progress) -> Refreshed | None:
        """Fetch what changed; None where only the whole can tell."""
        if state.snapshot is None or state.newest is None:
            return None
        listed = await source.changes(state.changes_mark, state.newest)
        if listed is None:
            return None
        wanted = await self._unknown(source.name, listed)
        if len(wanted) > MOST_CHANGES:
            return None
        records = await self._fetch(source, wanted, progress)
        if records is None:
            return None
        now, snapshot = self._clock.now(), state.snapshot
        if records:
            snapshot = await self._store.apply(source.name, records, now)
        newest = max((state.newest, *listed.changed.values()))
        state = replace(state, changes_mark=listed.mark, newest=newest, checked_at=now, failed_at=None, failure="")
        await self._store.save(source.name, state)
        changed = state.snapshot is None or snapshot.sha256 != state.snapshot.sha256
        return Refreshed(snapshot, changed, whole=False, projects=_projects(records))

    async def _unknown(self, feed: str, listed: ChangeList) -> list[str]:
        known = await self._store.modified(feed, list(listed.changed)) if listed.changed else {}
        return [one for one, modified in listed.changed.items() if known.get(one) != modified]

    async def _fetch(self, source: FeedSource, ids: list[str], progress: Progress) -> list[Record] | None:
        """Return records, fetched a few at a time; None where one is not there, or is not what was asked for."""
        slots, done = asyncio.Semaphore(AT_ONCE), 0

        async def fetch(record_id: str) -> Record | None:
            nonlocal done
            async with slots:
                content = await source.record(record_id)
            done += 1
            progress("fetching changes", done, len(ids))
            try:
                record = read_record(content, self._clock.now()) if content is not None else None
            except InvalidAdvisory as error:
                log.warning("feed %s: %s: %s", source.name, record_id, error)
                return None
            return record if record is not None and record.id == record_id else None

        tasks = [asyncio.create_task(fetch(one)) for one in ids]
        try:
            records = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        found = [record for record in records if record is not None]
        return found if len(found) == len(ids) else None

    async def _whole(self, source: FeedSource, state: FeedState, progress: Progress) -> Refreshed:
        async with source.whole(state.mark, progress) as whole:
            now = self._clock.now()
            if whole is None and state.snapshot is not None:
                state = replace(state, checked_at=now, whole_at=now, failed_at=None, failure="")
                await self._store.save(source.name, state)
                assert state.snapshot is not None  # noqa: S101 - replace keeps it
                return Refreshed(state.snapshot, changed=False, whole=True)
            if whole is None:
                raise FeedError(f"{source.address}: says that nothing changed since nothing was there")
            reading = _Reading(source.name, whole.records, now, whole.count, progress)
            generation = await self._store.load(source.name, reading)
        try:
            reading.check(state.snapshot if state.address == source.address else None)
        except FeedError:
            await self._store.discard(generation)
            raise
        snapshot = await self._store.switch(source.name, generation, now)
        before = state.snapshot.sha256 if state.snapshot else None
        state = FeedState(
            snapshot=snapshot,
            address=source.address,
            mark=whole.mark,
            newest=reading.newest,
            checked_at=now,
            whole_at=now,
            skipped=reading.skipped,
        )
        await self._store.save(source.name, state)
        return Refreshed(snapshot, snapshot.sha256 != before, whole=True, skipped=reading.skipped)


def _projects(records: Iterable[Record]) -> frozenset[str] | None:
    """Return the projects that records are about; None where one was withdrawn, and says no more what it was about."""
    if not all(record.claims for record in records):
        return None
    return frozenset(project for record in records for project, _ in record.claims)


@dataclass
class _Reading:
    """Reads records, passes over those that nobody can read, and takes note of what it saw."""

    feed: str
    contents: Iterable[bytes]
    at: datetime
    count: int | None
    progress: Progress
    read: int = 0
    skipped: int = 0
    newest: datetime | None = None
    first_problem: str = field(default="")

    def __iter__(self) -> Iterator[Record]:
        for content in self.contents:
            try:
                record = read_record(content, self.at)
            except InvalidAdvisory as error:
                self.skipped += 1
                self.first_problem = self.first_problem or str(error)
                continue
            self.read += 1
            self.newest = record.modified if self.newest is None else max(self.newest, record.modified)
            if self.read % 1000 == 0 or self.read == self.count:
                self.progress("reading", self.read, self.count)
            yield record

    def check(self, before: Snapshot | None) -> None:
        """Raise FeedError for a feed that looks like an accident."""
        if not self.read:
            raise FeedError(f"feed {self.feed} holds no record that can be read")
        if self.skipped > MOST_SKIPPED * (self.read + self.skipped) and self.skipped > 1:
            raise FeedError(f"feed {self.feed}: {self.skipped} records cannot be read; the first: {self.first_problem}")
        if before is not None and self.read < FEWEST_LEFT * before.records:
            raise FeedError(
                f"feed {self.feed} shrank from {before.records} records to {self.read}: if that is right, "
                f"pinfold feed sync {self.feed} --anew"
            )
        if self.skipped:
            log.warning(
                "feed %s: %d records are passed over; the first: %s", self.feed, self.skipped, self.first_problem
            )
