"""The decision: every rule of a policy over one file's evidence, worst effect first."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from pinfold.domain.decision import PASS, Decision, Effect, Finding, Mode, Outcome, Verdict
from pinfold.domain.evidence import Evidence, Need, ProjectEvidence
from pinfold.domain.project import File
from pinfold.domain.records import Waiver
from pinfold.domain.release_lines import AttestedUploads
from pinfold.policy.rule import Rule

log = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Projects of which a policy remembers what rules apply to them."""
SHARED = 100
"""Decisions that are shared by files, besides that of those that pass; where there are more, all are forgotten."""


@dataclass(frozen=True, slots=True)
class Selector:
    """The projects that a rule applies to: globs over normalised names, less exceptions."""

    projects: tuple[str, ...] = ("*",)
    exceptions: tuple[str, ...] = ()

    def admits(self, project: str) -> bool:
        """Tell whether the rule applies to a project."""
        return any(fnmatchcase(project, glob) for glob in self.projects) and not any(
            fnmatchcase(project, glob) for glob in self.exceptions
        )


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule as a policy document sets it up."""

    rule: Rule
    on_fail: Effect
    on_unknown: Effect
    selector: Selector = field(default_factory=Selector)
    mode: Mode = Mode.ENFORCE

    def effect_of(self, finding: Finding, awaited: frozenset[Need]) -> Effect:
        """Return what a finding means under this policy while some evidence is still to be established."""
        if finding.outcome is Outcome.PASS:
            return Effect.ALLOW
        effect = self.on_fail if finding.outcome is Outcome.FAIL else self.on_unknown
        if finding.pending and self.rule.needs & awaited:
            effect = min(effect, Effect.WARN)
        return min(effect, finding.at_most)


Judge = Callable[[Evidence, datetime], Finding]

_Shared = dict[tuple[frozenset[Need], tuple[Finding, ...]], Decision]
"""Decisions by what was awaited and found."""


@dataclass(frozen=True)
class ProjectRules:
    """The rules of a policy that apply to one project, with the decision that they share when all of them pass."""

    rules: tuple[PolicyRule, ...]
    passed: Decision
    needs: frozenset[Need]
    """The evidence that is gathered for these rules alone."""
    judges: tuple[Judge, ...]
    """The rules' own functions: to look them up anew for each of thousands of files takes as long as to call them."""
    shared: _Shared = field(default_factory=dict, compare=False, repr=False)
    """Further decisions that neither time nor waivers change: of all projects that the same rules apply to."""

    def awaits(self, need: Need, decision: Decision) -> bool:
        """Tell whether some rule leaves a file open for want of a sort of evidence."""
        return any(
            verdict.finding.pending and need in entry.rule.needs
            for entry, verdict in zip(self.rules, decision.verdicts, strict=True)
        )

    def to_verify(self, evidence: Evidence, attested: AttestedUploads, at: datetime) -> tuple[File, ...]:
        """Return the files whose provenance must be verified before a file can be judged for good."""
        if not self.needs:
            return ()
        wanted = (file for entry in self.rules for file in entry.rule.to_verify(evidence, attested, at))
        return tuple(dict.fromkeys(wanted))


_Admitted = tuple[tuple[PolicyRule, ...], Decision, frozenset[Need], tuple[Judge, ...], _Shared]
"""All of ProjectRules that judgements share."""


@dataclass(frozen=True)
class Policy:
    """A validated policy document."""

    name: str
    digest: str
    """The sha256 of the document's meaning: comments and layout do not count."""
    rules: tuple[PolicyRule, ...]
    """In the document's order: of equally grave verdicts the first one's reason is told."""
    description: str = ""

    @cached_property
    def needs(self) -> frozenset[Need]:
        """The evidence that some rule asks for, of whatever projects."""
        return _needs_of(self.rules)

    def for_project(self, project: str) -> ProjectRules:
        """Return the rules that apply to a project."""
        return ProjectRules(*self._admitted(project))

    @cached_property
    def _admitted(self) -> Callable[[str], _Admitted]:
        # Asked several times a request; comparing globs is most of what a decision on one file costs.
        return lru_cache(REMEMBERED)(self._admit)

    def _admit(self, project: str) -> _Admitted:
        return self._combined(tuple(place for place, entry in enumerate(self.rules) if entry.selector.admits(project)))

    @cached_property
    def _combined(self) -> Callable[[tuple[int, ...]], _Admitted]:
        # The same rules apply to nearly all projects, each of which would have 3 KB of its own.
        return lru_cache(REMEMBERED)(self._combine)

    def _combine(self, places: tuple[int, ...]) -> _Admitted:
        rules = tuple(self.rules[place] for place in places)
        verdicts = tuple(Verdict(entry.rule.id, PASS, Effect.ALLOW, entry.mode) for entry in rules)
        judges = tuple(entry.rule.judge for entry in rules)
        return rules, Decision(Effect.ALLOW, verdicts, self.digest), _needs_of(rules), judges, {}


def _needs_of(rules: Iterable[PolicyRule]) -> frozenset[Need]:
    return frozenset().union(*(entry.rule.needs for entry in rules))


def decide(
    rules: ProjectRules,
    evidence: Evidence,
    waivers: Sequence[Waiver],
    at: datetime,
    *,
    awaited: frozenset[Need] = frozenset(),
) -> Decision:
    """Judge one file by all rules; the one decision function for pages, files, explanations and replays.

    What rules find pending for want of `awaited` evidence, which will be established before the file is served whole,
    does not refuse it yet: on a page that is all that rules can ask for, and for good it is nothing.

    `waivers` are those whose target covers the file. Nothing here reads a clock, a store or the network, so that the
    same arguments give the same answer for ever.
    """
    return _decided(rules, _findings(rules, evidence, at), waivers, at, awaited)


def decide_each(
    rules: ProjectRules,
    about: ProjectEvidence,
    gathered: Sequence[Evidence],
    waivers_of: Callable[[File], Sequence[Waiver]],
    at: datetime,
    *,
    awaited: frozenset[Need] = frozenset(),
) -> Iterator[Decision]:
    """Decide as `decide` does on each of some files of one project; what rules find alike in all is found once."""
    if not gathered:
        return
    found = list(_findings(rules, gathered[0], at))
    differing = [
        (place, judge)
        for place, (entry, judge) in enumerate(zip(rules.rules, rules.judges, strict=True))
        if not _finds_alike(entry.rule, about)
    ]
    for evidence in gathered:
        try:
            for place, judge in differing:
                found[place] = judge(evidence, at)
            findings = tuple(found)
        except Exception:  # noqa: BLE001 - asked one by one, the rule that failed is told apart, and logged
            findings = _findings_one_by_one(rules, evidence, at)
        yield _decided(rules, findings, waivers_of(evidence.file), at, awaited)


def _decided(
    rules: ProjectRules,
    findings: tuple[Finding, ...],
    waivers: Sequence[Waiver],
    at: datetime,
    awaited: frozenset[Need],
) -> Decision:
    if findings.count(PASS) == len(findings):
        return rules.passed
    if waivers:
        return _decision(rules, findings, waivers, at, awaited)
    # Thousands of files wait for the same evidence: they share what is decided of them.
    decision = rules.shared.get((awaited, findings))
    if decision is None:
        decision = _decision(rules, findings, (), at, awaited)
        if not any(finding.changes_at for finding in findings):
            if len(rules.shared) >= SHARED:
                rules.shared.clear()
            rules.shared[awaited, findings] = decision
    return decision


def _decision(
    rules: ProjectRules,
    findings: Sequence[Finding],
    waivers: Sequence[Waiver],
    at: datetime,
    awaited: frozenset[Need],
) -> Decision:
    verdicts = tuple(
        passed if finding is PASS else _verdict(entry, finding, waivers, at, awaited)
        for entry, finding, passed in zip(rules.rules, findings, rules.passed.verdicts, strict=True)
    )
    moments = [verdict.finding.changes_at for verdict in verdicts]
    for waiver in waivers:
        if waiver.revoked_at is None:
            moments += [waiver.created_at, waiver.expires_at]
    return Decision(
        effect=max((verdict.counts for verdict in verdicts), default=Effect.ALLOW),
        verdicts=verdicts,
        policy_digest=rules.passed.policy_digest,
        changes_at=min((moment for moment in moments if moment is not None and moment > at), default=None),
    )


def _findings(rules: ProjectRules, evidence: Evidence, at: datetime) -> tuple[Finding, ...]:
    try:
        return tuple([judge(evidence, at) for judge in rules.judges])
    except Exception:  # noqa: BLE001 - asked one by one, the rule that failed is told apart, and logged
        return _findings_one_by_one(rules, evidence, at)


def _findings_one_by_one(rules: ProjectRules, evidence: Evidence, at: datetime) -> tuple[Finding, ...]:
    return tuple([_judge(entry.rule, evidence, at) for entry in rules.rules])


def _finds_alike(rule: Rule, about: ProjectEvidence) -> bool:
    try:
        return rule.finds_alike(about)
    except Exception:
        log.exception("rule %s failed on a project as a whole", rule.id)
        return False


def _judge(rule: Rule, evidence: Evidence, at: datetime) -> Finding:
    try:
        return rule.judge(evidence, at)
    except Exception as error:
        log.exception("rule %s failed on %s", rule.id, evidence.file.filename)
        return Finding(Outcome.UNKNOWN, f"the rule failed: {type(error).__name__}")


def _verdict(
    entry: PolicyRule, finding: Finding, waivers: Sequence[Waiver], at: datetime, awaited: frozenset[Need]
) -> Verdict:
    effect = entry.effect_of(finding, awaited)
    if effect is not Effect.ALLOW:
        for waiver in waivers:
            if waiver.rule == entry.rule.id and waiver.stands_at(at):
                return Verdict(entry.rule.id, finding, Effect.ALLOW, entry.mode, waiver.id)
    return Verdict(entry.rule.id, finding, effect, entry.mode)
