"""`contents`: archives that escape, contradict themselves, or bring what the release before had not."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

from msgspec import structs
from pydantic import Field

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, Need, ProjectEvidence, Unknown
from pinfold.domain.inspection import Inspection, Kind, Observation
from pinfold.domain.project import File
from pinfold.policy.rule import Glob, Rule

_CLAIMS = frozenset(
    {
        Kind.RECORD_MISSING,
        Kind.RECORD_MALFORMED,
        Kind.RECORD_DUPLICATE,
        Kind.RECORD_MISMATCH,
        Kind.NOT_IN_RECORD,
        Kind.NOT_IN_ARCHIVE,
        Kind.METADATA_MISSING,
        Kind.METADATA_MISMATCH,
        Kind.SEVERAL_DIST_INFO,
        Kind.SEVERAL_FOLDERS,
        Kind.UNKNOWN_SCHEME,
    }
)
"""What an archive says falsely of itself, which tools of long ago did in good faith."""

_ORDER = {kind: position for position, kind in enumerate(Kind)}

Kinds = Annotated[tuple[Annotated[Kind, Field(strict=False)], ...], Field(strict=False)]


class Contents(Rule):
    """Refuse by what is in the archive: for good what nobody needs, until somebody has looked at it what is new.

    A file is inspected once, before its last block leaves. What has honest uses only warns.
    """

    id: ClassVar = "contents"
    on_fail: ClassVar = Effect.DENY
    needs: ClassVar = frozenset({Need.INSPECTION})

    vetted_days: float = Field(default=30, gt=0, le=3650)
    """The age from which on news and false claims only warn: somebody would have found out."""
    ignore: Kinds = ()
    """Kinds of observations that do not count."""
    ignore_in: Annotated[Mapping[Glob, Kinds], Field(strict=False)] = Field(default_factory=dict)
    """Further kinds that do not count in some projects."""

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Most projects have no file that was inspected."""
        return isinstance(about.inspection, Unknown)

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Report the gravest of what was observed, and how much else there is."""
        if isinstance(evidence.inspection, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.inspection.why, pending=True)
        inspection, ignored = evidence.inspection.value, self._ignored(evidence.project)
        vetted_at = self._vetted_at(evidence.file)
        vetted = vetted_at is not None and at >= vetted_at
        moments = (vetted_at, inspection.again_at)
        changes_at = min((moment for moment in moments if moment is not None and moment > at), default=None)
        graded = _graded(inspection, ignored, vetted=vetted)
        if not graded or graded[0][0] is not Effect.DENY:
            unknown = _unknown(inspection, ignored, at, vetted=vetted)
            if unknown is not None:
                return structs.replace(unknown, changes_at=changes_at)
        if not graded:
            return PASS
        return Finding(Outcome.FAIL, _told(graded, inspection), changes_at, at_most=graded[0][0])

    def _vetted_at(self, file: File) -> datetime | None:
        if file.upload_time is None:
            return None
        try:
            return file.upload_time + timedelta(days=self.vetted_days)
        except OverflowError:  # An upstream may claim the year 9999.
            return None

    def _ignored(self, project: str) -> set[Kind]:
        matching = (kinds for glob, kinds in self.ignore_in.items() if fnmatchcase(project, glob))
        return {*self.ignore, *(kind for kinds in matching for kind in kinds)}


def _graded(inspection: Inspection, ignored: AbstractSet[Kind], *, vetted: bool) -> list[tuple[Effect, Observation]]:
    """Return what counts with what it can mean, gravest first, and then in the order of the kinds."""
    news = inspection.news or ()
    graded = [
        (min(each.grade, Effect.WARN) if vetted and (each in news or each.kind in _CLAIMS) else each.grade, each)
        for each in (*inspection.observations, *news)
        if each.kind not in ignored and not each.breaks_off
    ]
    return sorted(graded, key=lambda one: (-one[0], _ORDER[one[1].kind]))


def _unknown(inspection: Inspection, ignored: AbstractSet[Kind], at: datetime, *, vetted: bool) -> Finding | None:
    """Return what cannot be told of the archive, if there is anything."""
    for each in inspection.observations:
        if each.breaks_off and each.kind not in ignored:
            again = inspection.again_at is not None and at >= inspection.again_at
            most = Effect.WARN if vetted else Effect.DENY
            return Finding(Outcome.UNKNOWN, f"{each.kind}: {each.text}", at_most=most, pending=again)
    if inspection.news is None and not vetted:
        return Finding(Outcome.UNKNOWN, f"not compared with {inspection.previous} yet", pending=True)
    return None


def _told(graded: Sequence[tuple[Effect, Observation]], inspection: Inspection) -> str:
    gravest, first = graded[0]
    place = f" {first.file}" if first.file else ""
    line = f" line {first.line}" if first.line else ""
    parts = [f"{first.kind}:{place}{line} {first.text}"]
    if more := sum(effect is gravest for effect, _ in graded) - 1:
        parts.append(f"{more} more")
    if first in (inspection.news or ()):
        parts.append(f"unlike {inspection.previous}" if inspection.previous else "and no earlier release to compare")
    return "; ".join(parts)
