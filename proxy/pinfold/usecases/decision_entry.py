"""A decision about a file, as the audit log tells it."""

from datetime import datetime
from typing import Any

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.by_identity import ByIdentity
from pinfold.domain.decision import Verdict
from pinfold.usecases.judged_files import JudgedFile

RECURRING = 512
"""Sets of verdicts that are told of in the same words as before; the log finds their bytes again by these."""


def decision_entry(
    action: Action,
    at: datetime,
    actor: Actor,
    index: str,
    judged: JudgedFile,
    *,
    reference: str | None,
    details: dict[str, Any],
) -> Entry:
    """Return the entry of something that happened under a decision, with all that it rests on."""
    decision, file = judged.decision, judged.file
    deciding = decision.deciding
    return Entry(
        action=action,
        time=at,
        actor=actor,
        index=index,
        project=judged.evidence.project,
        version=file.version,
        filename=file.filename,
        sha256=file.sha256,
        decision=decision.effect.label,
        rule=deciding.rule if deciding else None,
        verdicts=_told(decision.verdicts),
        policy_digest=decision.policy_digest,
        evidence_digest=judged.digest(),
        reference=reference,
        details={**details, "upstream": judged.evidence.origin.upstream},
    )


def _verdict(verdict: Verdict) -> dict[str, str]:
    return {
        "rule": verdict.rule,
        "outcome": verdict.finding.outcome.value,
        "effect": verdict.effect.label,
        **({"reason": verdict.finding.reason} if verdict.finding.reason else {}),
        **({"mode": verdict.mode.value} if verdict.mode.value != "enforce" else {}),
        **({"waiver": verdict.waiver} if verdict.waiver else {}),
    }


def _tell(verdicts: tuple[Verdict, ...]) -> tuple[dict[str, str], ...]:
    return tuple(map(_verdict, verdicts))


_told = ByIdentity(_tell, RECURRING)
