"""`look-alike`: first-time names that could be taken for others."""

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import Evidence, ProjectEvidence, Unknown
from pinfold.domain.look_alikes import Resemblance
from pinfold.policy.rule import Rule


class LookAlike(Rule):
    """Refuse a project that nobody was served here before, one slip away from a known name, young or hardly released.

    Typing errors are registered by those who wait for them: such a project is new, or has few releases, or both. One
    that is neither is somebody's honest work, however near its name is. What was served here once is known itself.
    """

    id: ClassVar = "look-alike"

    young_days: float = Field(default=90, gt=0, le=3650)
    """A project is young for so long after its first upload."""
    few_releases: int = Field(default=3, ge=0, le=1000)
    """One with fewer releases is hardly released, whatever its age."""

    def finds_alike(self, about: ProjectEvidence) -> bool:  # noqa: ARG002 - names are projects'
        """Names, age and releases are those of the whole project."""
        return True

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Compare the project's age and releases with what an established one would have."""
        if isinstance(evidence.resemblance, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.resemblance.why)
        seen = evidence.resemblance.value
        if seen is None:
            return PASS
        if seen.releases < self.few_releases:
            count = f"{seen.releases} release{'' if seen.releases == 1 else 's'}"
            return Finding(Outcome.FAIL, f"{_resembles(evidence.project, seen)}, and has {count} only")
        born, needed = seen.first_upload, timedelta(days=self.young_days)
        if born is None:
            reason = f"{_resembles(evidence.project, seen)}, and the upstream does not state how old it is"
            return Finding(Outcome.UNKNOWN, reason)
        if at - born >= needed:
            return PASS
        age = f"began {short_duration(at - born)} ago" if at >= born else "claims to begin in the future"
        return Finding(Outcome.FAIL, f"{_resembles(evidence.project, seen)}, and {age}", _sum(born, needed))


def _resembles(project: str, seen: Resemblance) -> str:
    nearest = seen.likenesses[0]
    use = "which is in everyday use" if nearest.everyday else "which is in use here"
    return f"nobody used {project} here before; it is {nearest.slip.value} {nearest.name}, {use}"


def _sum(born: datetime, needed: timedelta) -> datetime | None:
    try:
        return born + needed
    except OverflowError:  # An upstream may claim the year 9999: such a project is never old enough.
        return None
