"""A project's page as a client gets it: every file judged, refused ones listed with the reason."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from weakref import ref

from pinfold.domain.listing import Listing
from pinfold.index.negotiate import Encoding, Representation
from pinfold.ports.blobs import Blobs
from pinfold.ports.clock import Clock
from pinfold.ports.telemetry import Telemetry
from pinfold.usecases.beside_the_loop import beside_the_loop
from pinfold.usecases.compress import compress
from pinfold.usecases.decide import Gate, takes_long
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Judgement
from pinfold.usecases.list_project import HTML, JSON, Entries, Form, Lister
from pinfold.usecases.lru import Lru
from pinfold.usecases.single_flight import OneAtATime
from pinfold.usecases.wheel_metadata import WheelMetadata

MAX_AGE = timedelta(seconds=60)
"""How long clients may keep a page: short, since a release from quarantine should reach them soon."""
REASONS_HOLD = timedelta(minutes=10)
"""How long a rendered page with reasons is kept: they tell ages, which go out of date before any decision does.

So is one with files that the upstream took away, which it shows for as long as they are kept here."""
BYTES_IN_MEMORY = 64 * 1024 * 1024
"""The budget for rendered pages."""
PAGE_BYTES = 1024
"""What a page counts besides its body: it is kept with what it was judged on, though not with its files."""
FINDING_BYTES = 1024
"""What it counts for each file that was verified or inspected."""
ENTRIES_IN_MEMORY = 32 * 1024 * 1024
"""The budget for the entries of long pages, which outlast a change of policy or of what feeds hold."""
LONG = 500
"""Files of a page whose entries are kept: those of a shorter one are rendered anew in a millisecond."""


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """One representation of a page in one encoding, ready to be sent."""

    body: bytes
    etag: str
    """Quoted; covers content, decisions, representation and encoding, since it is made of the very bytes."""


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """A page and what its headers say."""

    page: RenderedPage
    max_age: timedelta
    """How long a client may use it: never beyond the moment at which a decision changes by itself."""
    stale: bool
    """The upstream could not be asked whether this is still what it says."""
    age: timedelta
    """Since the upstream was last asked."""
    stands_until: datetime
    """When all of this may first be otherwise, or anything is to be begun for it, as far as time alone changes that."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A rendered page with all that it was made of but the files, which stand for as long as their judgement does."""

    page: RenderedPage
    judgement: Judgement
    metadata: dict[str, str | None]
    until: datetime
    unopposed: "ref[Listing] | None"
    """The listing that it shows all files of, and holds nothing against, whatever they are judged on."""

    @property
    def weight(self) -> int:
        return len(self.page.body) + PAGE_BYTES + FINDING_BYTES * self.judgement.grounds.size

    def says_all_of(self, project: JudgedProject) -> bool:
        """Tell whether a project that was judged anew would be rendered the same, as far as its files go."""
        return self.unopposed is not None and self.unopposed() is project.found.listing and project.is_unopposed


class _Key(NamedTuple):
    """What a rendered page is kept by."""

    index_name: str
    project: str
    representation: Representation
    encoding: Encoding
    root: str | None
    state: int | None = None
    """Of the project as of a moment; None for the page as it is."""


class ProjectPage:
    """Renders judged projects, once for each representation and encoding."""

    def __init__(self, gate: Gate, metadata: WheelMetadata, blobs: Blobs, clock: Clock, telemetry: Telemetry) -> None:
        self._gate = gate
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._telemetry = telemetry
        self._memory: Lru[_Key, _Kept] = Lru(BYTES_IN_MEMORY)
        self._entries: Lru[tuple[str, str, str | None, Form], Entries] = Lru(ENTRIES_IN_MEMORY)
        self._rendering: OneAtATime[_Key] = OneAtATime()

    async def get(
        self,
        index: Index,
        name: str,
        representation: Representation,
        encoding: Encoding,
        root: str | None = None,
        as_of: datetime | None = None,
    ) -> PageAnswer | None:
        """Return a project's page, or None where no upstream has the project, or had a file of it at the moment.

        `root` is the index's outside address, without which the page says nothing of provenance. As of a moment, files
        that were uploaded later are left out, and those that are left are judged as of now.
        """
        key = _Key(index.name, name, representation, encoding, root)
        kept = None if as_of else await self._standing(key, index)
        if kept is None:
            kept = await self._renewed(key, index, as_of)
        if kept is None:
            return None
        judgement, now = kept.judgement, self._clock.now()
        left = kept.until - now
        # What was just published here is to be had at once.
        if judgement.source.first_hand:
            left = timedelta(0)
        # In the last minute, each whole second is told.
        same_for = left - MAX_AGE if left > MAX_AGE else left % timedelta(seconds=1)
        return PageAnswer(
            page=kept.page,
            max_age=min(MAX_AGE, left),
            stale=judgement.stale,
            age=max(now - judgement.fetched_at, timedelta(0)),
            stands_until=min(now + same_for, self._gate.page_stands_until(judgement)),
        )

    async def _standing(self, key: _Key, index: Index) -> _Kept | None:
        """Return what was rendered before, if nothing that it was made of has changed; its files are not looked at."""
        kept = self._memory.get(key)
        if kept is None or self._clock.now() >= kept.until:
            return None
        if kept.judgement.index is not index or not await self._gate.still_stands(kept.judgement):
            return None
        if await self._metadata.known(key.project) is not kept.metadata:
            return None
        self._telemetry.looked_up("rendering", hit=True)
        return kept

    async def _renewed(self, key: _Key, index: Index, as_of: datetime | None) -> _Kept | None:
        """Return a page of the project as it is judged now, rendered anew where that makes a difference."""
        project = await self._gate.judge_project(index, key.project)
        if project is None:
            return None
        metadata = await self._metadata.known(key.project)
        key = key._replace(state=project.state_at(as_of) if as_of else None)
        kept = self._kept(key, project, metadata)
        self._telemetry.looked_up("rendering", hit=kept is not None)
        if kept is None:
            async with self._rendering.turn(key):
                kept = self._kept(key, project, metadata) or await self._render(key, project, metadata, as_of)
        return kept

    def _kept(self, key: _Key, project: JudgedProject, metadata: dict[str, str | None]) -> _Kept | None:
        """Return what was rendered before of the very same judgement, or would be rendered the same of another."""
        kept = self._memory.get(key)
        if kept is None or self._clock.now() >= kept.until:
            return None
        if kept.metadata is not metadata:
            return None
        if kept.judgement.grounds is not project.grounds and not kept.says_all_of(project):
            return None
        if kept.judgement is not project.judgement:
            # Freshness moved on, or something was found out that no file is refused for.
            # The ages that reasons tell are as old as before.
            until = _stands_until(project, self._clock.now()) if project.is_unopposed else kept.until
            kept = replace(kept, judgement=project.judgement, until=until)
            self._memory.put(key, kept, kept.weight)
        return kept

    async def _render(
        self, key: _Key, project: JudgedProject, metadata: dict[str, str | None], as_of: datetime | None
    ) -> _Kept | None:
        now, seen = self._clock.now(), project.as_of(as_of) if as_of else project
        form = JSON if key.representation is Representation.JSON else HTML
        lister = Lister(metadata, key.root, await self._still_here(seen))
        entries_key = (project.found.source.name, key.project, key.root, form)
        entries = None if as_of else self._entries.get(entries_key)
        if entries is None or not entries.are_of(project, metadata):
            entries = Entries(seen, metadata)
        render = partial(_render, lister, seen, form, entries, key.encoding, only_shown=bool(as_of))
        page = await beside_the_loop(render) if takes_long(project.found.listing) else render()
        if page is None:
            return None
        if as_of is None and len(project.files) >= LONG:
            self._entries.put(entries_key, entries, entries.weight)
        unopposed = ref(project.found.listing) if project.is_unopposed and as_of is None else None
        kept = _Kept(page, project.judgement, metadata, _stands_until(project, now), unopposed)
        self._memory.put(key, kept, kept.weight)
        return kept

    async def _still_here(self, project: JudgedProject) -> set[str]:
        """Return which of the files that the upstream took away are kept here, by hash."""
        gone = {judged.file.sha256 for judged in project.files if judged.vanished and not judged.refused}
        return await self._blobs.among(gone) if gone else gone


def _stands_until(project: JudgedProject, now: datetime) -> datetime:
    until = project.changes_at or datetime.max.replace(tzinfo=now.tzinfo)
    return until if project.is_unopposed else min(until, now + REASONS_HOLD)


def _render(
    lister: Lister, project: JudgedProject, form: Form, entries: Entries, encoding: Encoding, *, only_shown: bool
) -> RenderedPage | None:
    plain = lister.render(project, form, entries, only_shown=only_shown)
    if plain is None:
        return None
    body = compress(plain, encoding)
    return RenderedPage(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
