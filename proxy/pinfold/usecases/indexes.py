"""The indexes of an installation: named views that clients point at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from pinfold.policy.engine import Policy
from pinfold.ports.upstream import Upstream


class Refusals(StrEnum):
    """What a page does with files that are refused."""

    EXPLAIN = "explain"
    """List them as yanked, with the reason: installers pass them over, and print why when somebody insists."""
    HIDE = "hide"


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream as an index uses it."""

    upstream: Upstream
    freshness: timedelta = timedelta(minutes=10)
    """How long a page counts as fresh unless the upstream allows less."""
    private: bool = False
    """The upstream belongs to this organisation: it may provide private names."""
    fetch_ahead: bool = True
    """The upstream may be asked for wheels and pages that nobody wants yet."""
    first_hand: bool = False
    """The files were uploaded here: what is known of them is all that there is to know, and never stale."""

    @property
    def name(self) -> str:
        """The upstream's name in the settings."""
        return self.upstream.name


@dataclass(frozen=True, slots=True)
class Index:
    """Sources in order of precedence, one policy, and the names that only this organisation may provide."""

    name: str
    sources: tuple[Source, ...]
    """What is published here comes first, so that no upstream is asked for it or gets a say in it."""
    policy: Policy
    private: tuple[str, ...] = ()
    """Globs over normalised project names."""
    refusals: Refusals = Refusals.EXPLAIN
    pins: str | None = None
    """The pin set that the index is limited to."""

    @property
    def fetches_ahead(self) -> bool:
        """Whether a project may be looked for that nobody wants yet, wherever that may be found."""
        return all(source.fetch_ahead for source in self.sources)

    def reserves(self, project: str) -> bool:
        """Tell whether a project's name belongs to this organisation."""
        return any(fnmatchcase(project, glob) for glob in self.private)

    def sources_of(self, project: str, *, private: bool = False) -> tuple[Source, ...]:
        """Return the sources that may be asked for a project: for a private name, none that is public.

        Asking would already tell the outside which names are in use here. A name may be private by more than the
        index's own settings: because it was published on another index.
        """
        if private or self.reserves(project):
            return tuple(source for source in self.sources if source.private)
        return self.sources


Indexes = Mapping[str, Index]
