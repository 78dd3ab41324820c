"""The release that a refusal names as the last good one, where the page's own answer will not do."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from packaging.version import Version

from pinfold.domain.names import parse_version
from pinfold.domain.project import File

_NEVER = datetime.max.replace(tzinfo=UTC)


class _Offer(NamedTuple):
    """A file in the order in which installers prefer releases: a pre-release only where there is nothing else."""

    is_final: bool
    version: Version
    sha256: str


_TwoBest = tuple[_Offer | None, _Offer | None]
"""The best of some files, and the best of the others."""


class LastGood:
    """What an unpinned install would have taken at any moment, and what without any one file.

    Whoever asks for refused files may choose both, so that they are looked up among what was laid out once.
    """

    def __init__(self, offered: Iterable[tuple[datetime | None, File]]) -> None:
        """Take in the files that an install may take now, each with the moment since when it is there.

        Of what nobody can tell when it came, it is not said that it was there at any moment.
        """
        offers = [
            (since or _NEVER, _Offer(not version.is_prerelease, version, file.sha256))
            for since, file in offered
            if file.version is not None and (version := parse_version(file.version))
        ]
        offers.sort(key=itemgetter(0))
        self._moments = [since for since, _ in offers]
        none: _TwoBest = (None, None)
        self._best = list(accumulate((offer for _, offer in offers), _with, initial=none))

    def release(self, *, beside: str, as_of: datetime | None = None) -> str | None:
        """Return the newest release, at a moment if one is given, `beside` the file of this hash."""
        best, next_best = self._best[-1 if as_of is None else bisect_right(self._moments, as_of)]
        if best is not None and best.sha256 == beside:
            best = next_best
        return None if best is None else str(best.version)


def _with(best: _TwoBest, offer: _Offer) -> _TwoBest:
    first, second = best
    if first is None or offer > first:
        return offer, first
    return (first, offer) if second is None or offer > second else best
