"""Which upstream has a project, and what it says of it: fresh, or stale while the upstream fails."""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pinfold.domain.errors import UpstreamError
from pinfold.domain.listing import Listing, Sighting, observe
from pinfold.domain.project import Project
from pinfold.ports.catalog import Catalog, Stored
from pinfold.ports.clock import Clock
from pinfold.ports.look_back import INTENT, Noticed, nobody_asks
from pinfold.ports.published import PublishedStore
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.turns import TakeTurn, alone
from pinfold.ports.upstream import Missing, Page, Unchanged, Validators
from pinfold.usecases.in_turn import in_turn
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.lru import Recalling
from pinfold.usecases.single_flight import SingleFlight

log = logging.getLogger(__name__)

MISSING_FRESHNESS = timedelta(minutes=1)
"""How long an unknown project is not asked for again: short, since somebody may be about to publish it."""
PATIENCE = timedelta(seconds=5)
"""How long a client waits for a refresh before it gets the stale page that is at hand."""
FIRST_LOOK = timedelta(seconds=30)
"""How long a process waits for another one that asks for the same project for the first time."""
RETRY_AFTER = timedelta(seconds=15)
"""How long a failing upstream is left alone while a stale page is at hand."""
FILES_IN_MEMORY = 32_000
"""Some 0.8 KB each: room for six of the longest pages, beside the pages themselves and what is judged."""


@dataclass(frozen=True, slots=True)
class Found:
    """A project at the upstream that provides it."""

    source: Source
    stored: Stored
    stale: bool = False
    """The upstream could not be asked whether this still holds."""
    sources: tuple[Source, ...] = ()
    """Where it was sought, in order, unless at one place alone."""
    lacked: tuple[Stored, ...] = ()
    """What was known at those that were asked before, which lack it."""

    @property
    def listing(self) -> Listing:
        """What is known of the project."""
        return self.stored.listing

    @property
    def fresh_until(self) -> datetime:
        """Until when nobody need be asked again; this may have been before it was found."""
        return min(stored.fresh_until for stored in (self.stored, *self.lacked))


class ProjectFinder:
    """Asks an index's upstreams in order; the first that has a project provides it, alone.

    An upstream that fails is never taken for one that lacks the project: what follows it in order might be an
    impostor's.
    """

    def __init__(
        self,
        catalog: Catalog,
        published: PublishedStore,
        clock: Clock,
        telemetry: Telemetry,
        noticed: Noticed = nobody_asks,
        turn: TakeTurn = alone,
    ) -> None:
        self._catalog = catalog
        self._published = published
        self._noticed = noticed
        self._turn = turn
        self._clock = clock
        self._telemetry = telemetry
        self._memory: Recalling[tuple[str, str], Stored] = Recalling(FILES_IN_MEMORY)
        self._loads: SingleFlight[tuple[str, str], Stored | None] = SingleFlight()
        self._refreshes: SingleFlight[tuple[str, str], Stored] = SingleFlight()
        self._left_alone: dict[str, datetime] = {}

    async def find(self, index: Index, project: str) -> Found | None:
        """Return the project at the first upstream that has it, or None where all say that they do not.

        Raises UpstreamError where an upstream fails and nothing is known of what it had, StoreError where the
        catalog fails.
        """
        gone: Found | None = None
        sources = await self.sources_of(index, project)
        lacked: tuple[Stored, ...] = ()
        for source in sources:
            found = await self.find_at(source, project)
            if not found.listing.missing:
                return replace(found, sources=sources, lacked=lacked)
            if gone is None and found.listing.sightings:
                gone = found
            lacked = (*lacked, found.stored)
        # A project that was taken away whole is still known: its files can be judged, and told about.
        return gone and replace(gone, sources=sources, lacked=lacked)

    async def sources_of(self, index: Index, project: str) -> tuple[Source, ...]:
        """Return the sources of an index that a project is sought at, in order. Raises StoreError."""
        claims = await self._published.current()
        is_claimed = project in claims.names
        sources = index.sources_of(project, private=is_claimed and project in claims.unknown_outside)
        # Nearly every project is somebody else's: it costs no more for that.
        return sources if is_claimed else tuple(source for source in sources if not source.first_hand)

    async def close(self) -> None:
        """End what is under way."""
        await self._loads.close()
        await self._refreshes.close()

    async def find_at(self, source: Source, project: str) -> Found:
        """Return what one source says of a project, if only that it lacks it; raises what `find` raises."""
        key = (source.name, project)
        stored = self._memory.get(key)
        if source.first_hand:
            return Found(source, await self._first_hand(source, project, stored))
        self._telemetry.looked_up("page", hit=stored is not None)
        if stored is None:
            stored = await self._loads.run(key, lambda: self._load(key))
        now = self._clock.now()
        if stored is not None and now < stored.fresh_until:
            return Found(source, stored)
        if stored is not None and now < self._left_alone.get(source.name, now):
            return self._stale(source, stored)
        if stored is None:
            return Found(source, await self._refreshes.run(key, lambda: self._first_look(source, project)))
        refresh = self._refreshes.start(key, lambda: self._refresh(source, project, stored))
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return Found(source, await asyncio.shield(refresh))
        except TimeoutError:
            return self._stale(source, stored)
        except UpstreamError as error:
            log.warning("serving a stale page of %s: %s", project, error)
            self._left_alone[source.name] = self._clock.now() + RETRY_AFTER
            return self._stale(source, stored)

    async def is_known_at(self, source: Source, project: str) -> bool:
        """Tell whether a source had a project when it was last asked; it is not asked now."""
        key = (source.name, project)
        stored = self._memory.get(key) or await self._catalog.load(*key)
        return stored is not None and not stored.listing.missing

    async def _load(self, key: tuple[str, str]) -> Stored | None:
        """Read a listing from the catalog, once for all who wait: what each would have read would be judged anew."""
        loaded = await self._catalog.load(*key)
        # Meanwhile it may have been fetched.
        stored = self._memory.get(key)
        if stored is None and loaded is not None:
            self._keep(key, stored := loaded)
        return stored

    async def _first_hand(self, source: Source, project: str, stored: Stored | None) -> Stored:
        """Return what was published here; nothing of it is kept but in memory, since it is kept where it comes from."""
        answer = await source.upstream.project(project, stored.validators if stored else None)
        now = self._clock.now()
        if isinstance(answer, Unchanged) and stored is not None:
            return stored
        if not isinstance(answer, Page):
            return Stored(Listing(Project(project), now, missing=True), Validators(), fresh_until=now)
        files = answer.project.files
        sightings = {file.filename: Sighting(file.upload_time or now, file.sha256) for file in files}
        stored = Stored(Listing(answer.project, now, sightings=sightings), answer.validators, fresh_until=now)
        self._keep((source.name, project), stored)
        return stored

    def _stale(self, source: Source, stored: Stored) -> Found:
        self._telemetry.stale_page(source.name)
        return Found(source, stored, stale=True)

    async def _first_look(self, source: Source, project: str) -> Stored:
        """Ask for a project that nothing is known of, unless another process has just asked."""
        name = hashlib.sha256(f"{source.name}/{project}".encode()).hexdigest()
        async with in_turn(self._turn, f"page-{name}", FIRST_LOOK) as has_waited:
            stored = await self._catalog.load(source.name, project) if has_waited else None
            if stored is None or self._clock.now() >= stored.fresh_until:
                return await self._refresh(source, project, stored)
            self._keep((source.name, project), stored)
            return stored

    async def _refresh(self, source: Source, project: str, stored: Stored | None) -> Stored:
        answer = await source.upstream.project(project, stored.validators if stored else None)
        now = self._clock.now()
        key = (source.name, project)
        match answer:
            case Unchanged(max_age) if stored is not None:
                fresh_until = now + _freshness(source, max_age)
                await self._catalog.confirm(*key, now, fresh_until)
                # The listing stays the same object, so that all that was derived from it stands.
                stored = replace(stored, fresh_until=fresh_until)
            case Unchanged():
                raise UpstreamError(f"{source.name} answered 304 for {project}, which was asked for unconditionally")
            case Page(page, validators, max_age):
                fresh_until = now + _freshness(source, max_age)
                stored = await self._update(key, stored, _Observation(page, now, validators, fresh_until))
            case Missing():
                fresh_until = now + min(MISSING_FRESHNESS, source.freshness)
                gone = _Observation(Project(project), now, Validators(), fresh_until, missing=True)
                # What never was is remembered in memory alone: whoever asks for made-up names must not fill the disk.
                stored = gone(None) if stored is None else await self._update(key, stored, gone)
        self._keep(key, stored)
        return stored

    async def _update(self, key: tuple[str, str], stored: Stored | None, seen: "_Observation") -> Stored:
        """Keep what was seen; should the upstream have taken back its word, what was served is judged again."""
        cause = _taken_back(stored.listing.project, seen.project) if stored else None
        if cause is None:
            return await self._catalog.update(*key, seen)
        await self._noticed([key[1]], cause, until=seen.at + INTENT)
        stored = await self._catalog.update(*key, seen)
        self._keep(key, stored)
        await self._noticed([key[1]], cause)
        return stored

    def _keep(self, key: tuple[str, str], stored: Stored) -> None:
        self._memory.put(key, stored, 1 + len(stored.listing.sightings))


@dataclass(frozen=True, slots=True)
class _Observation:
    """A page that was seen, as a change to the catalog."""

    project: Project
    at: datetime
    validators: Validators
    fresh_until: datetime
    missing: bool = False

    def __call__(self, previous: Stored | None) -> Stored:
        listing = observe(previous.listing if previous else None, self.project, self.at, missing=self.missing)
        return Stored(listing, self.validators, self.fresh_until)


def _taken_back(before: Project, after: Project) -> str | None:
    """Return what of its word an upstream took back, if anything; that a project has new files takes back nothing."""
    if before.status != after.status:
        return "the upstream changed the project's status"
    now = {file.filename: file for file in after.files}
    if any(file.filename not in now for file in before.files):
        return "the upstream took a file away"
    if any(file.sha256 != now[file.filename].sha256 for file in before.files):
        return "the upstream changed a file"
    if any(file != now[file.filename] for file in before.files):
        return "the upstream changed what it says of a file"
    return None


def _freshness(source: Source, max_age: timedelta | None) -> timedelta:
    return source.freshness if max_age is None else min(source.freshness, max_age)
