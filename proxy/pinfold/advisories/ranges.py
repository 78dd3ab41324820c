"""Which versions a claim means, by the evaluation that the OSV schema prescribes, in the order of PEP 440."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from pinfold.domain.advisory import Bound, Claim, Event
from pinfold.domain.names import parse_version

_FROM_THE_BEGINNING = "0"
"""The schema's word for "before every version", pre-releases of zero included."""
_WITHOUT_END = "*"

# At one and the same version a fix comes before what breaks again, and both before the last affected one ends.
_ORDER = {Bound.FIXED: 0, Bound.INTRODUCED: 1, Bound.LAST_AFFECTED: 2}


@dataclass(frozen=True)
class Versions:
    """A project's versions in the order of PEP 440, so that ranges are found by bisection."""

    ordered: tuple[Version, ...]
    texts: tuple[str, ...]
    """The canonical spellings, in the same order."""
    known: frozenset[str]
    """The same, for look-ups."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Versions":
        """Sort versions; what is no PEP 440 version has no place in any range."""
        parsed = sorted((version, text) for text in set(texts) if (version := parse_version(text)) is not None)
        spelled = tuple(text for _, text in parsed)
        return cls(tuple(version for version, _ in parsed), spelled, frozenset(spelled))


def affected(claim: Claim, versions: Versions) -> set[str]:
    """Return which of a project's versions a claim means: those that it lists, and those in any of its ranges."""
    found = set(claim.versions & versions.known)
    for events in claim.ranges:
        found.update(_within(events, versions))
    return found


def fixes(claim: Claim) -> set[str]:
    """Return the versions that a claim names as fixes, in canonical spelling."""
    named = (event.version for events in claim.ranges for event in events if event.bound is Bound.FIXED)
    return {str(version) for text in named if (version := parse_version(text)) is not None}


def _within(events: Sequence[Event], versions: Versions) -> set[str]:
    """Follow the events of a range upwards.

    What a range says in versions that nobody can read never ends it, and never keeps it from beginning.
    """
    ordered = versions.ordered
    end = _limit(events, ordered)
    steps = sorted(_steps(events, ordered))
    found: set[str] = set()
    begin: int | None = None
    for position, _, opens in steps:
        if opens:
            begin = position if begin is None else begin
        elif begin is not None:
            found.update(versions.texts[begin : min(position, end)])
            begin = None
    if begin is not None:
        found.update(versions.texts[begin:end])
    return found


def _steps(events: Sequence[Event], ordered: Sequence[Version]) -> Iterable[tuple[int, "_Rank", bool]]:
    """Return where among the versions each event takes effect, in which order, and whether it begins the range."""
    for event in events:
        version = parse_version(event.version)
        if event.bound is Bound.INTRODUCED:
            if version is None or event.version == _FROM_THE_BEGINNING:
                yield 0, _Rank(None, _ORDER[event.bound]), True
            else:
                yield bisect_left(ordered, version), _Rank(version, _ORDER[event.bound]), True
        elif version is not None and event.bound is Bound.FIXED:
            yield bisect_left(ordered, version), _Rank(version, _ORDER[event.bound]), False
        elif version is not None and event.bound is Bound.LAST_AFFECTED:
            yield bisect_right(ordered, version), _Rank(version, _ORDER[event.bound]), False


@dataclass(frozen=True, slots=True)
class _Rank:
    version: Version | None
    order: int

    def __lt__(self, other: "_Rank") -> bool:
        if self.version is None or other.version is None:
            return self.version is None and other.version is not None
        return (self.version, self.order) < (other.version, other.order)


def _limit(events: Sequence[Event], ordered: Sequence[Version]) -> int:
    """Return the place that all limits together end the range at: the farthest of them counts."""
    limits = [event.version for event in events if event.bound is Bound.LIMIT]
    versions = [parse_version(limit) for limit in limits]
    if _WITHOUT_END in limits or not limits or None in versions:
        return len(ordered)
    return max(bisect_left(ordered, version) for version in versions if version is not None)
