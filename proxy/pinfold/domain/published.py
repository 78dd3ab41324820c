"""What was published here: first-hand files, which no upstream could bring back, and the names that they claim."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from pinfold.domain.project import File


@dataclass(frozen=True, slots=True)
class Deletion:
    """That a file was taken away for good: its name is never given to other bytes."""

    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file as it was uploaded to an index."""

    index: str
    project: str
    file: File
    slot: str
    """What no other upload to the index can be, however its name is spelt: see `pinfold.domain.distribution`."""
    by: str
    """Who uploaded it, by the name of a token or a trusted publisher."""
    deletion: Deletion | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A project's name that was published under: from then on it belongs to this organisation, in that index."""

    index: str
    project: str
    at: datetime
    by: str
    namesakes: tuple[str, ...] = ()
    """Public upstreams that had a project of the name when it was claimed."""


@dataclass(frozen=True, slots=True)
class ClaimedProject:
    """A claim, and how often what was published under it changed."""

    claim: Claim
    revision: int
    """Grows with every change to the project, in whichever process."""


@dataclass(frozen=True)
class Claims:
    """All names that were ever claimed; never changed, only replaced: the same object, the same claims."""

    revision: int = 0
    projects: Mapping[tuple[str, str], ClaimedProject] = field(default_factory=dict)
    """By index and project."""

    def of(self, index: str, project: str) -> ClaimedProject | None:
        """Return the claim of an index to a project's name, if it has one."""
        return self.projects.get((index, project))

    @cached_property
    def by_index(self) -> Mapping[str, frozenset[str]]:
        """The names that each index claims."""
        names: dict[str, set[str]] = {}
        for index, project in self.projects:
            names.setdefault(index, set()).add(project)
        return {index: frozenset(claimed) for index, claimed in names.items()}

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that any index claims."""
        return frozenset(project for _, project in self.projects)

    @cached_property
    def unknown_outside(self) -> frozenset[str]:
        """The names that were claimed, in whichever index, while no public upstream was known to have them.

        Whoever asks outside for one of these is mistaken about the index, and would be answered by an impostor.
        """
        known = {project for (_, project), each in self.projects.items() if each.claim.namesakes}
        return self.names - known


@dataclass(frozen=True, slots=True)
class PublishedProject:
    """Everything that was published under a claimed name, at one moment."""

    revision: int
    files: tuple[PublishedFile, ...]
    """In the order of their upload, those that were deleted included."""
