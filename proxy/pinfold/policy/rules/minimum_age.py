"""`minimum-age`: files that have not been public for long enough to be found out."""

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pinfold.domain.advisory import Fix
from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.duration import exact_duration, short_duration
from pinfold.domain.evidence import Evidence, Known, ProjectEvidence, Unknown
from pinfold.policy.rule import Glob, Rule


class MinimumAge(Rule):
    """Refuse files younger than a number of days and hours, which add up.

    Age counts from the file's own upload, never from its version's first file: a wheel may join a release years later.
    An upload that lies in the future is not old. A fix is what an advisory names as such for a vulnerability of the
    newest release that is allowed otherwise: where that one is not affected, nothing is gained by a hurry.
    """

    id: ClassVar = "minimum-age"

    days: float = Field(default=0, ge=0, le=3650)
    hours: float = Field(default=0, ge=0, le=87600)
    clock: Literal["upload-time", "first-seen"] = "upload-time"
    """Whose word counts: the upstream's, or this installation's."""
    overrides: dict[Glob, Annotated[float, Field(gt=0, le=3650)]] = Field(default_factory=dict)
    """Days for projects by glob, in place of the general age; of several that match, the longest counts."""
    private_origins: Literal["pass", "judge"] = "pass"
    """Whether files from this organisation's own upstreams need an age too."""
    fixes: Literal["serve", "hold"] = "hold"
    """Whether a young file that fixes a known vulnerability of the release it replaces is served, with a warning."""

    @model_validator(mode="after")
    def _has_an_age(self) -> "MinimumAge":
        if not self.days and not self.hours:
            raise ValueError("set days or hours: without them the rule refuses nothing")
        return self

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Ask no age of what is this organisation's own."""
        return about.origin.private and self.private_origins == "pass"

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Compare the file's age with the one that its project needs."""
        if evidence.origin.private and self.private_origins == "pass":
            return PASS
        if self.clock == "upload-time":
            what, born = "uploaded", evidence.file.upload_time
            if born is None:
                return Finding(Outcome.UNKNOWN, "the upstream states no upload time")
        elif isinstance(evidence.sighting, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.sighting.why)
        else:
            what, born = "first seen", evidence.sighting.value.first_seen
        needed = self._needed(evidence.project)
        if at - born >= needed:
            return PASS
        ago = f"{short_duration(at - born)} ago" if at >= born else f"{short_duration(born - at)} in the future"
        reason, changes_at = f"{what} {ago}, needs {exact_duration(needed)}", _sum(born, needed)
        if self.fixes == "serve" and (fixed := _fixed(evidence)) is not None:
            reason = f"{reason}, but fixes {fixed.id} of {fixed.affected}"
            return Finding(Outcome.FAIL, reason, changes_at, at_most=Effect.WARN)
        return Finding(Outcome.FAIL, reason, changes_at)

    def _needed(self, project: str) -> timedelta:
        if not self.overrides:
            return self._general
        days = [days for glob, days in self.overrides.items() if fnmatchcase(project, glob)]
        return timedelta(days=max(days)) if days else self._general

    @cached_property
    def _general(self) -> timedelta:
        return timedelta(days=self.days, hours=self.hours)


def _fixed(evidence: Evidence) -> Fix | None:
    known = evidence.advisories
    return next(iter(known.value.fixes), None) if isinstance(known, Known) else None


def _sum(born: datetime, needed: timedelta) -> datetime | None:
    try:
        return born + needed
    except OverflowError:  # An upstream may claim the year 9999: such a file is never old enough.
        return None
