"""Policies whose rules find what a test says, what they decide, and strategies that draw them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from msgspec import structs
from tests.fakes.evidence import SHA256, UPLOADED, evidence_of

from pinfold.domain.decision import PASS, Decision, Effect, Finding, Mode, Outcome
from pinfold.domain.evidence import Evidence, Need, ProjectEvidence
from pinfold.domain.records import Waiver
from pinfold.domain.target import HashTarget
from pinfold.policy.engine import Policy, PolicyRule, Selector, decide

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Scripted:
    """A rule that finds one thing before a moment, and another from then on."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    id: str
    before: Finding = PASS
    turns_at: datetime | None = None
    after: Finding = PASS

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        if self.turns_at is not None and at >= self.turns_at:
            return self.after
        return self.before if self.before is PASS else structs.replace(self.before, changes_at=self.turns_at)

    def finds_alike(self, about: ProjectEvidence) -> bool:
        return False


def entry(rule: object, on_fail: Effect = Effect.DENY, on_unknown: Effect = Effect.QUARANTINE, **more) -> PolicyRule:
    return PolicyRule(rule, on_fail, on_unknown, **more)  # type: ignore[arg-type]


def decided(
    entries: Sequence[PolicyRule],
    waivers: Sequence[Waiver] = (),
    at: datetime = UPLOADED,
    evidence: Evidence | None = None,
) -> Decision:
    policy = Policy("test", "digest", tuple(entries))
    return decide(policy.for_project("litellm"), evidence or evidence_of(), waivers, at)


def a_waiver(rule: str, begins: datetime = UPLOADED, length: timedelta = HOUR, **changes: object) -> Waiver:
    waiver = Waiver("W-1", HashTarget(SHA256), rule, "reviewed", "alice", begins, begins + length)
    return replace(waiver, **changes)  # type: ignore[arg-type]


RULE_IDS = ["r0", "r1", "r2", "r3"]

effects_above_allow = st.sampled_from([Effect.WARN, Effect.QUARANTINE, Effect.DENY])
moments = st.integers(-200, 200).map(lambda hours: UPLOADED + hours * HOUR)
failures = st.builds(
    Finding, st.sampled_from([Outcome.FAIL, Outcome.UNKNOWN]), st.just("because"), at_most=effects_above_allow
)


def policies_of(findings: st.SearchStrategy[Finding]) -> st.SearchStrategy[list[PolicyRule]]:
    rules = st.builds(Scripted, st.sampled_from(RULE_IDS), findings, moments)
    return st.lists(
        st.builds(
            PolicyRule, rules, effects_above_allow, effects_above_allow, st.just(Selector()), st.sampled_from(Mode)
        ),
        max_size=6,
    )


policies = policies_of(st.just(PASS) | failures)
failing_policies = policies_of(failures)
waivers_of = st.lists(
    st.builds(
        a_waiver,
        st.sampled_from(RULE_IDS),
        moments,
        st.integers(1, 300).map(lambda hours: hours * HOUR),
        revoked_at=st.none() | moments,
    ),
    max_size=3,
)
