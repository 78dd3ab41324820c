"""`vanished`: a young file that its upstream took away again."""

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import Evidence, Unknown
from pinfold.policy.rule import Rule


class Vanished(Rule):
    """Refuse a file that disappeared from its upstream within a number of days of its upload, for ever.

    Malware is taken down within hours or days; what its author deletes later had its time in public, and builds that
    are pinned to it go on. The file counts as gone from the last moment at which it was seen listed: a project that
    nobody asked for in the meantime does not make its files older.
    """

    id: ClassVar = "vanished"

    days: float = Field(default=30, gt=0, le=3650)

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - how young it went stays the same
        """Compare the age at which the file went with the one that is suspicious."""
        if isinstance(evidence.sighting, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.sighting.why)
        seen = evidence.sighting.value
        if seen.vanished_at is None:
            return PASS
        uploaded = evidence.file.upload_time
        born, event = (uploaded, "its upload") if uploaded else (seen.first_seen, "it was first seen")
        earliest, latest = (seen.listed_until or seen.vanished_at) - born, seen.vanished_at - born
        if earliest >= timedelta(days=self.days):
            return PASS
        span = " to ".join(dict.fromkeys([short_duration(earliest), short_duration(latest)]))
        return Finding(Outcome.FAIL, f"the upstream took it away again {span} after {event}")
