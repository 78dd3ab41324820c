"""A project's page as a client gets it: every file judged, refused ones listed with the reason."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from weakref import ref

from pinfold.index.negotiate import Encoding, Representation
from pinfold.ports.blobs import Blobs
from pinfold.ports.clock import Clock
from pinfold.ports.shared_pages import SharedPages
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.turns import TakeTurn, alone
from pinfold.usecases.beside_the_loop import beside_the_loop
from pinfold.usecases.compress import compress
from pinfold.usecases.decide import Gate
from pinfold.usecases.in_turn import in_turn
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Basis
from pinfold.usecases.kept_page import KeptPage, PageKey, RenderedPage
from pinfold.usecases.list_project import HTML, JSON, Digests, Entries, Form, Lister
from pinfold.usecases.lru import Lru
from pinfold.usecases.made_of import made_of
from pinfold.usecases.project_files import takes_long
from pinfold.usecases.single_flight import OneAtATime
from pinfold.usecases.wheel_metadata import WheelMetadata

MAX_AGE = timedelta(seconds=60)
"""How long clients may keep a page: short, since a release from quarantine should reach them soon."""
REASONS_HOLD = timedelta(minutes=10)
"""How long a rendered page with reasons is kept: they tell ages, which go out of date before any decision does.

So is one with files that the upstream took away, which it shows for as long as they are kept here."""
BYTES_IN_MEMORY = 64 * 1024 * 1024
"""The budget for rendered pages."""
ENTRIES_IN_MEMORY = 32 * 1024 * 1024
"""The budget for the entries of long pages, which outlast a change of policy or of what feeds hold."""
LONG = 500
"""Files of a page that is shared, and whose entries are kept: a shorter one is made anew in a few milliseconds."""
PATIENCE = timedelta(seconds=2)
"""How long a process waits for another one that makes the same page."""
LOOK_EVERY = 0.005
"""Seconds between two looks whether that is done: few pages are long, and each has clients that wait for it."""


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


class ProjectPage:
    """Renders judged projects, once for each representation and encoding."""

    def __init__(
        self,
        gate: Gate,
        metadata: WheelMetadata,
        blobs: Blobs,
        clock: Clock,
        telemetry: Telemetry,
        shared: SharedPages | None = None,
        turn: TakeTurn = alone,
    ) -> None:
        """`shared` is where long pages are found that other processes made, if there are any."""
        self._gate = gate
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._telemetry = telemetry
        self._memory: Lru[PageKey, KeptPage] = Lru(BYTES_IN_MEMORY)
        self._entries: Lru[tuple[str, str, str | None, Form], Entries] = Lru(ENTRIES_IN_MEMORY)
        self._rendering: OneAtATime[PageKey] = OneAtATime()
        self._shared = shared
        self._turn = turn
        self._sharing: OneAtATime[PageKey] = OneAtATime()

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
        key = PageKey(index.name, name, representation, encoding, root)
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

    async def _standing(self, key: PageKey, index: Index) -> KeptPage | None:
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

    async def _renewed(self, key: PageKey, index: Index, as_of: datetime | None) -> KeptPage | None:
        """Return a page of the project as it is judged now, made anew where that makes a difference."""
        basis = await self._gate.basis(index, key.project)
        if basis is None:
            return None
        # Of what is not fresh each request looks at everything anew, which is quick only where it was judged here.
        is_fresh = self._clock.now() < basis.found.fresh_until
        if self._shared is None or as_of or not is_fresh or not _is_long(basis) or self._gate.has_judged(basis):
            return await self._made(key, basis, as_of)
        async with self._sharing.turn(key):
            return await self._standing(key, index) or await self._made_once(key, index, self._shared)

    async def _made_once(self, key: PageKey, index: Index, shared: SharedPages) -> KeptPage | None:
        """Return a long page that another process made of the very same, or make it for all."""
        name = hashlib.sha256(repr(key).encode()).hexdigest()
        async with in_turn(self._turn, f"rendering-{name}", PATIENCE, LOOK_EVERY):
            # Others may have had the turn for long.
            basis, metadata = await self._gate.basis(index, key.project), await self._metadata.known(key.project)
            if basis is None:
                return None
            digest = await beside_the_loop(partial(made_of, basis, metadata, key))
            page = await shared.find(digest) if digest is not None else None
            if page is None or self._clock.now() >= page.until:
                return await self._made(key, basis, None)
        self._telemetry.looked_up("rendering", hit=True)
        kept = KeptPage.of_another(page, basis, metadata)
        self._memory.put(key, kept, kept.weight)
        return kept

    async def _made(self, key: PageKey, basis: Basis, as_of: datetime | None) -> KeptPage | None:
        """Return what was rendered before, if it would be the same now, or else render it."""
        project, metadata = await self._gate.judge(basis), await self._metadata.known(key.project)
        key = key._replace(state=project.state_at(as_of) if as_of else None)
        kept = self._kept(key, project, metadata)
        self._telemetry.looked_up("rendering", hit=kept is not None)
        if kept is None:
            async with self._rendering.turn(key):
                kept = self._kept(key, project, metadata) or await self._render(key, project, metadata, as_of)
        return kept

    def _kept(self, key: PageKey, project: JudgedProject, metadata: Digests) -> KeptPage | None:
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
        self, key: PageKey, project: JudgedProject, metadata: Digests, as_of: datetime | None
    ) -> KeptPage | None:
        now, seen = self._clock.now(), project.as_of(as_of) if as_of else project
        form = JSON if key.representation is Representation.JSON else HTML
        gone = {judged.file.sha256 for judged in seen.files if judged.vanished and not judged.refused}
        lister = Lister(metadata, key.root, await self._blobs.among(gone) if gone else gone)
        entries_key = (project.found.source.name, key.project, key.root, form)
        entries = None if as_of else self._entries.get(entries_key)
        if entries is None or not entries.are_of(project, metadata):
            entries = Entries(seen, metadata)
        render = partial(_render, lister, seen, form, entries, key.encoding, only_shown=bool(as_of))
        page = await beside_the_loop(render) if takes_long(project.found.listing) else render()
        if page is None:
            return None
        if as_of is None and _is_long(project.basis):
            self._entries.put(entries_key, entries, entries.weight)
        unopposed = ref(project.found.listing) if project.is_unopposed and as_of is None else None
        kept = KeptPage(page, project.judgement, metadata, _stands_until(project, now), unopposed)
        # Which files that were taken away are kept here is not among what others can compare.
        if self._shared is not None and as_of is None and _is_long(project.basis) and not gone:
            digest = await beside_the_loop(partial(made_of, project.basis, metadata, key))
            if digest is not None:
                # To others the ages that reasons tell are as old as the judgement.
                theirs = replace(kept, until=_stands_until(project, project.judged_at))
                await self._shared.keep(digest, theirs.for_others())
        self._memory.put(key, kept, kept.weight)
        return kept


def _is_long(basis: Basis) -> bool:
    return len(basis.found.listing.project.files) >= LONG


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
