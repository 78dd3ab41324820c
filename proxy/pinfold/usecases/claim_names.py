"""Claiming a name: what is published under it belongs to this organisation from then on."""

import logging

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import UpstreamError
from pinfold.domain.published import Claim
from pinfold.ports.clock import Clock
from pinfold.ports.published import PublishedStore
from pinfold.usecases.find_project import ProjectFinder
from pinfold.usecases.indexes import Index, Indexes

log = logging.getLogger(__name__)


class ClaimNames:
    """Makes the claims that go with first uploads, and warns where somebody else has the name."""

    def __init__(self, store: PublishedStore, finder: ProjectFinder, indexes: Indexes, clock: Clock) -> None:
        self._store = store
        self._finder = finder
        self._indexes = indexes
        self._clock = clock

    async def claim(self, index: Index, project: str, actor: Actor) -> tuple[Claim, Entry, tuple[str, ...]]:
        """Return a claim with its audit entry, and what to warn of; the store makes it unless it is made already."""
        namesakes, warnings = await self._namesakes(index, project)
        claim = Claim(index.name, project, self._clock.now(), actor.name, namesakes)
        details = {"namesakes": list(namesakes), "warnings": list(warnings)}
        entry = Entry(
            Action.PROJECT_CLAIMED,
            claim.at,
            actor,
            index=claim.index,
            project=claim.project,
            details={name: told for name, told in details.items() if told},
        )
        return claim, entry, warnings

    async def _namesakes(self, index: Index, project: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return which public upstreams have a project of a name that is about to be claimed, and what to warn of.

        A name that some index reserves, or that is published elsewhere here and known to nobody outside, is not asked
        for: to ask would tell it.
        """
        claims = await self._store.current()
        ours = project in claims.unknown_outside or any(each.reserves(project) for each in self._indexes.values())
        if ours or claims.of(index.name, project) is not None:
            return (), ()
        namesakes, warnings = [], []
        for source in (each for each in index.sources if not each.private):
            try:
                found = await self._finder.find_at(source, project)
            except UpstreamError as error:
                log.warning("whether %s has a project %s is not known: %s", source.name, project, error)
                warnings.append(f"{source.name} could not be asked whether it has a project {project}, too")
                continue
            if not found.listing.missing:
                namesakes.append(source.name)
                warnings.append(
                    f"{source.name} has a project {project}, too: index {index.name} will serve only what is published "
                    "here under that name"
                )
        elsewhere = {each.name: each for other in self._indexes.values() for each in other.sources if not each.private}
        for source in elsewhere.values():
            # What other indexes serve from outside is not this one's to claim, and not told to anybody by a question.
            if source not in index.sources and await self._finder.is_known_at(source, project):
                namesakes.append(source.name)
                warnings.append(f"{source.name} has a project {project}, too, which other indexes go on serving")
        return tuple(namesakes), tuple(warnings)
