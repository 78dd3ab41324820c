"""`quarantined`: what an admin or a detector holds by a quarantine record."""

from datetime import datetime
from typing import ClassVar

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence, ProjectEvidence
from pinfold.domain.records import RecordState
from pinfold.policy.rule import Rule


class Quarantined(Rule):
    """Refuse what a quarantine record covers: held records quarantine, rejected ones deny, released ones do nothing.

    Every policy has this rule, so that whoever holds a release in an emergency can rely on it.
    """

    id: ClassVar = "quarantined"
    on_fail: ClassVar = Effect.DENY
    implied: ClassVar = True

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Without records there is nothing to find."""
        return not about.quarantine

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - records do not age
        """Report the gravest record, and of equals the oldest."""
        if not evidence.records:
            return PASS
        rejected = [record for record in evidence.records if record.state is RecordState.REJECTED]
        held = [record for record in evidence.records if record.state is RecordState.HELD]
        if not rejected and not held:
            return PASS
        record = (rejected or held)[0]
        source = f" ({record.reference})" if record.reference else ""
        return Finding(
            Outcome.FAIL,
            f"{record.reason}{source}, record {record.id}",
            at_most=Effect.DENY if rejected else Effect.QUARANTINE,
        )
