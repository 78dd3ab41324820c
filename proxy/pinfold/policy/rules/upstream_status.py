"""`upstream-status`: projects that their upstream marks as archived, deprecated or quarantined (PEP 792)."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import Evidence, ProjectEvidence, Unknown
from pinfold.domain.project import StatusMarker
from pinfold.policy.rule import Rule


class UpstreamStatus(Rule):
    """Refuse files of a project that is quarantined upstream, and warn of archived and deprecated ones.

    A quarantined project's vetted files are served, with a warning: those that were public for `vetted_days` before
    the quarantine was first seen. A file that was not seen before the quarantine was never vetted here.
    """

    id: ClassVar = "upstream-status"

    archived: Literal["warn", "pass"] = "warn"
    deprecated: Literal["warn", "pass"] = "warn"
    vetted_days: float = Field(default=30, ge=0, le=3650)

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Only in a project that is quarantined it depends on when files came."""
        return (
            isinstance(status := about.upstream_status, Unknown)
            or status.value.status.marker is not StatusMarker.QUARANTINED
        )

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - age counts up to the quarantine
        """Report what the upstream's marker means for the file."""
        if isinstance(evidence.upstream_status, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.upstream_status.why)
        seen = evidence.upstream_status.value
        marker = seen.status.marker
        if marker is StatusMarker.ACTIVE:
            return PASS
        if marker is StatusMarker.QUARANTINED:
            return self._in_quarantine(evidence, seen.since)
        if marker not in (StatusMarker.ARCHIVED, StatusMarker.DEPRECATED):
            return Finding(Outcome.UNKNOWN, "the upstream gives the project a status that PEP 792 does not define")
        if (self.archived if marker is StatusMarker.ARCHIVED else self.deprecated) == "pass":
            return PASS
        return Finding(Outcome.FAIL, f"the upstream marks the project as {marker}", at_most=Effect.WARN)

    def _in_quarantine(self, evidence: Evidence, since: datetime | None) -> Finding:
        held = "the upstream holds the project in quarantine"
        if isinstance(evidence.sighting, Unknown) or since is None:
            return Finding(Outcome.FAIL, held)
        first_seen = evidence.sighting.value.first_seen
        public = since - min(first_seen, evidence.file.upload_time or first_seen)
        if first_seen >= since or public < timedelta(days=self.vetted_days):
            return Finding(Outcome.FAIL, held)
        reason = f"{held}; this file was public for {short_duration(public)} before"
        return Finding(Outcome.FAIL, reason, at_most=Effect.WARN)
