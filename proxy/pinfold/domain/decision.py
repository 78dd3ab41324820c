"""Findings, verdicts and decisions: how a file's judgement is expressed."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from msgspec import Struct


class Effect(IntEnum):
    """What a finding means for a request; the worst of a file's effects wins."""

    ALLOW = 0
    WARN = 1
    QUARANTINE = 2
    DENY = 3

    @property
    def label(self) -> str:
        """The word of policy documents and output."""
        return self.name.lower()

    @property
    def refuses(self) -> bool:
        """Whether a file under this effect is kept from clients."""
        return self >= Effect.QUARANTINE


class Outcome(StrEnum):
    """What a rule finds."""

    PASS = "pass"  # noqa: S105 - a rule's outcome, no secret
    FAIL = "fail"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """Whether a verdict counts, or is only recorded and counted."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Finding(Struct, frozen=True, gc=False, cache_hash=True):
    """What one rule finds in one file's evidence."""

    outcome: Outcome
    reason: str = ""
    """One short line; empty where a rule passes."""
    changes_at: datetime | None = None
    """When the same evidence would be found otherwise, by the passing of time alone."""
    at_most: Effect = Effect.DENY
    """The gravest effect that this finding can carry, for rules that grade what they find."""
    pending: bool = False
    """What is unknown will be established before the file is served; until then, on a page, it is no more than a
    warning. The decision about the file itself knows no pending findings."""


PASS = Finding(Outcome.PASS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's finding with the effect that the policy, and any waiver, gives it."""

    rule: str
    finding: Finding
    effect: Effect
    mode: Mode = Mode.ENFORCE
    waiver: str | None = None
    """The id of the waiver that lowered the effect."""

    @property
    def counts(self) -> Effect:
        """The effect on the request: none where the rule is only observed."""
        return self.effect if self.mode is Mode.ENFORCE else Effect.ALLOW


@dataclass(frozen=True, slots=True)
class Decision:
    """All verdicts of a file with the effect that stands."""

    effect: Effect
    verdicts: tuple[Verdict, ...]
    policy_digest: str
    changes_at: datetime | None = None
    """The earliest moment at which a verdict changes by itself."""

    @property
    def refused(self) -> bool:
        """Whether clients are kept from the file."""
        return self.effect.refuses

    @property
    def deciding(self) -> Verdict | None:
        """The first of the gravest verdicts, where there is one above allow."""
        if self.effect is Effect.ALLOW:
            return None
        return next(verdict for verdict in self.verdicts if verdict.counts is self.effect)


_PAST = {Effect.QUARANTINE: "quarantined", Effect.DENY: "denied"}
MAX_REASON = 240


def reference(decision: Decision, evidence_digest: str) -> str:
    """Return the short reference of a refusal, such as `D-7QK2M`: the same decision on the same evidence, the same.

    It carries 35 bits in base 32 without padding: enough to tell the refusals of an installation apart.
    """
    deciding = decision.deciding
    seed = "\0".join([decision.policy_digest, evidence_digest, deciding.rule if deciding else ""])
    return "D-" + base64.b32encode(hashlib.sha256(seed.encode()).digest())[:7].decode()


def refusal_line(decision: Decision, *, last_good: str | None, ref: str) -> str:
    """Return why a file is refused, in one line of printable ASCII that is safe in headers and in client output."""
    verdict = decision.deciding
    if verdict is None or not decision.refused:
        raise ValueError("only a refused file has a refusal line")
    reason = " ".join("".join(c if " " <= c <= "~" else " " for c in verdict.finding.reason).split())[:MAX_REASON]
    parts = [f"pinfold: {_PAST[decision.effect]} by {verdict.rule}: {reason}"]
    if last_good is not None:
        parts.append(f"last good {last_good}")
    parts.append(f"ref {ref}")
    return "; ".join(parts)
