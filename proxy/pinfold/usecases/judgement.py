"""What a project was judged on, apart from its files: what was made of them stands for as long as that does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pinfold.domain.advisory import ProjectClaims
from pinfold.domain.evidence import NO_FEED, Item
from pinfold.domain.look_alikes import Likeness
from pinfold.domain.pins import ProjectPins
from pinfold.domain.project import File
from pinfold.domain.records import Records
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.provenances import Knowledge


@dataclass(frozen=True, slots=True)
class Grounds:
    """What the files of a project are judged on besides their listing."""

    records: Records
    knowledge: Knowledge | None = None
    """Of provenance, where a rule asks for it."""
    contents: Contents | None = None
    """What was seen in archives, where a rule asks for it."""
    about: Item[ProjectClaims] = NO_FEED
    """What advisory feeds hold on the project."""
    pins: Item[ProjectPins] | None = None
    """What the index's pin set holds of the project, where it is limited to one."""
    likenesses: tuple[Likeness, ...] = ()
    """The known names that the project's could be taken for."""

    def stand_as(self, other: "Grounds") -> bool:
        """Tell whether nothing changed; what its source keeps as one object for so long is not looked into."""
        return (
            self.records.revision == other.records.revision
            and self.knowledge is other.knowledge
            and self.contents is other.contents
            and self.about is other.about
            and self.pins == other.pins
            and self.likenesses == other.likenesses
        )

    @property
    def size(self) -> int:
        """How many files something was found out of, which is kept in memory with it."""
        verified = len(self.knowledge.checked) if self.knowledge else 0
        return verified + (len(self.contents.inspected) if self.contents else 0)


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a project is judged on."""

    index: Index
    name: str
    found: Found
    grounds: Grounds


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a project was judged, without its files, so that what was made of them may outlast them in memory."""

    index: Index
    name: str
    source: Source
    """The one that has the project."""
    sources: tuple[Source, ...]
    """Those that it was sought at, in order."""
    fetched_at: datetime
    """When the upstream last stated or confirmed the page."""
    stale: bool
    """The upstream could not be asked whether that still holds."""
    fresh_until: datetime
    """Until then no upstream need be asked again."""
    changes_at: datetime | None
    """The earliest moment at which one of the decisions changes by itself."""
    grounds: Grounds
    """An object of its own for each time that the files were judged."""
    to_verify: tuple[File, ...]
    """What the newest files need verified to be judged for good, newest first."""

    @classmethod
    def of(cls, basis: Basis, changes_at: datetime | None, to_verify: tuple[File, ...]) -> Self:
        """Return the judgement of what was judged on a basis."""
        found = basis.found
        return cls(
            index=basis.index,
            name=basis.name,
            source=found.source,
            sources=found.sources,
            fetched_at=found.listing.fetched_at,
            stale=found.stale,
            fresh_until=found.fresh_until,
            changes_at=changes_at,
            grounds=basis.grounds,
            to_verify=to_verify,
        )

    @property
    def until(self) -> datetime:
        """Until when it stands as far as time alone changes it."""
        return self.fresh_until if self.changes_at is None else min(self.fresh_until, self.changes_at)

    def stands(self, sources: Sequence[Source], grounds: Grounds) -> bool:
        """Tell whether it stands but for time, given where the project is to be sought and what judged on."""
        return self.sources == sources and self.grounds.stand_as(grounds)
