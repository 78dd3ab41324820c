"""`hash-changed`: a file name that carries other bytes than when it was first seen."""

from datetime import datetime
from typing import ClassVar

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, Unknown
from pinfold.policy.rule import Rule


class HashChanged(Rule):
    """Refuse a file whose bytes are not those that its name stood for at the first sighting.

    PyPI never lets a file name be used twice, so that a change means a mirror, an index or a cache that lies.
    """

    id: ClassVar = "hash-changed"
    on_fail: ClassVar = Effect.DENY

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - hashes do not age
        """Compare the hash on the index with the remembered one."""
        if isinstance(evidence.sighting, Unknown):
            return Finding(Outcome.UNKNOWN, evidence.sighting.why)
        first, now = evidence.sighting.value.sha256, evidence.file.sha256
        if now == first:
            return PASS
        return Finding(Outcome.FAIL, f"first seen with sha256 {first[:12]}..., now has {now[:12]}...")
