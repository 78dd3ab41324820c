"""`minimum-age`: files that have not been public for long enough to be found out."""

from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import ClassVar

from pydantic import Field, model_validator

from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import Evidence, Known
from pinfold.policy.rule import Rule


class Clock(StrEnum):
    """Whose word counts for a file's age."""

    UPLOAD_TIME = "upload-time"
    FIRST_SEEN = "first-seen"


class MinimumAge(Rule):
    """Refuse files younger than a number of days and hours.

    Age counts from the file's own upload, never from its version's first file: a wheel may join a release years later.
    """

    id: ClassVar = "minimum-age"

    days: float = Field(default=0, ge=0, le=3650)
    hours: float = Field(default=0, ge=0, le=87600)
    clock: Clock = Clock.UPLOAD_TIME
    overrides: dict[str, float] = Field(default_factory=dict)
    """Days for projects by glob, in place of the general age; the first match in the document's order counts."""

    @model_validator(mode="after")
    def _has_an_age(self) -> "MinimumAge":
        if not self.days and not self.hours and not self.overrides:
            raise ValueError("set days or hours: without either the rule refuses nothing")
        return self

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        """Compare the file's age with the one that its project needs."""
        born, what = self._birth(evidence)
        if born is None:
            return Finding(Outcome.UNKNOWN, what)
        needed = self._needed(evidence.project)
        if at - born >= needed:
            return PASS
        ago = f"{short_duration(at - born)} ago" if at >= born else f"{short_duration(born - at)} in the future"
        return Finding(Outcome.FAIL, f"{what} {ago}, needs {short_duration(needed)}", changes_at=born + needed)

    def _birth(self, evidence: Evidence) -> tuple[datetime | None, str]:
        if self.clock is Clock.UPLOAD_TIME:
            uploaded = evidence.file.upload_time
            return uploaded, "uploaded" if uploaded else "the upstream states no upload time"
        if isinstance(evidence.sighting, Known):
            return evidence.sighting.value.first_seen, "first seen"
        return None, evidence.sighting.why

    def _needed(self, project: str) -> timedelta:
        for pattern, days in self.overrides.items():
            if fnmatchcase(project, pattern):
                return timedelta(days=days)
        return timedelta(days=self.days, hours=self.hours)
