"""`pinned`: files outside the pin set that an index is limited to."""

from datetime import datetime
from typing import ClassVar

from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.evidence import Evidence, Known, ProjectEvidence, Unknown
from pinfold.domain.pins import Pinning
from pinfold.policy.rule import Rule

TOLD = 3
"""How many pinned versions a reason names."""


class Pinned(Rule):
    """Refuse what the pin set of an index does not hold; of indexes without one, nothing.

    Every policy has this rule, so that `pins` in an index's settings is a limit whatever its policy says besides.
    """

    id: ClassVar = "pinned"
    implied: ClassVar = True

    def finds_alike(self, about: ProjectEvidence) -> bool:
        """Where no pins are known, no file has one."""
        return not isinstance(about.pins, Known)

    def judge(self, evidence: Evidence, at: datetime) -> Finding:  # noqa: ARG002 - pins do not age
        """Tell how to get a pin, where there is none."""
        pinning = evidence.pinning
        if pinning is None:
            return PASS
        if isinstance(pinning, Unknown):
            return Finding(Outcome.UNKNOWN, pinning.why)
        if pinning.value.pinned:
            return PASS
        return Finding(Outcome.FAIL, _reason(evidence.project, pinning.value))


def _reason(project: str, pinning: Pinning) -> str:
    has = ", ".join(pinning.releases[:TOLD])
    if len(pinning.releases) > TOLD:
        has += f" and {len(pinning.releases) - TOLD} more"
    told = f"holds {project} {has} only" if has else f"does not hold {project}"
    return f"pin set {pinning.pin_set} {told}; pinfold pin import {pinning.pin_set} LOCKFILE changes that"
