import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.fakes.evidence import UPLOADED, a_file, a_status, evidence_of
from tests.unit.policy.scripted import HOUR, Scripted, a_waiver, decided, entry, moments, policies, waivers_of

from pinfold.domain.decision import Decision, Effect, Finding, Mode, Outcome
from pinfold.domain.evidence import NO_FEED, Evidence, Need, Origin, ProjectEvidence
from pinfold.domain.project import StatusMarker
from pinfold.domain.records import Waiver
from pinfold.domain.release_lines import AttestedUploads
from pinfold.policy.document import parse_policy
from pinfold.policy.engine import SHARED, Policy, PolicyRule, Selector, decide, decide_each

FAIL = Finding(Outcome.FAIL, "no good")
UNKNOWN = Finding(Outcome.UNKNOWN, "who knows")


@dataclass(frozen=True)
class NeedsProvenance(Scripted):
    """A rule that finds the same, waiting for provenance."""

    needs = frozenset({Need.PROVENANCE})


@dataclass(frozen=True)
class TellsNames(Scripted):
    """A rule that finds something else in every file."""

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        return structs.replace(FAIL, reason=evidence.file.filename)


@dataclass(frozen=True)
class Broken:
    needs: ClassVar[frozenset[Need]] = frozenset()
    id: str = "broken"

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        raise ZeroDivisionError("secret detail")


@dataclass(frozen=True)
class BrokenOnProjects(Scripted):
    def finds_alike(self, about: ProjectEvidence) -> bool:
        raise ZeroDivisionError("secret detail")


@dataclass(frozen=True)
class Alike(Scripted):
    """A rule that counts how often it is asked, of projects in which it finds the same in every file."""

    asked: list[str] = field(default_factory=list)

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        self.asked.append(evidence.file.filename)
        return super().judge(evidence, at)

    def finds_alike(self, about: ProjectEvidence) -> bool:
        return not about.origin.private


class TestProjects:
    FILES = tuple(a_file(filename=f"litellm-{number}-py3-none-any.whl") for number in range(3))

    def decided_each(self, *rules: object, private: bool = False) -> list[Decision]:
        about = ProjectEvidence(Origin("pypi", private), a_status(StatusMarker.ACTIVE), (), (), None, NO_FEED, None)
        gathered = [evidence_of(file, origin=about.origin) for file in self.FILES]
        applying = Policy("test", "digest", tuple(map(entry, rules))).for_project("litellm")
        each = list(decide_each(applying, about, gathered, lambda file: (), UPLOADED))
        assert each == [decide(applying, evidence, (), UPLOADED) for evidence in gathered]
        return each

    def test_what_a_rule_finds_in_all_files_is_found_once(self) -> None:
        alike, differing = Alike("r0", FAIL), TellsNames("r1")
        reasons = [[one.finding.reason for one in each.verdicts] for each in self.decided_each(alike, differing)]
        assert reasons == [["no good", file.filename] for file in self.FILES]
        by_file = [file.filename for file in self.FILES]
        assert alike.asked == [by_file[0], *by_file]
        self.decided_each(alike, differing, private=True)
        assert alike.asked[4:] == [by_file[0], *by_file, *by_file]

    def test_rule_that_fails_on_a_file_or_on_a_project_as_a_whole_is_unknown_and_spoils_no_other(self) -> None:
        for broken in (Broken(), BrokenOnProjects("broken", FAIL)):
            each = self.decided_each(Alike("r0", FAIL), broken, TellsNames("r2"))
            assert [one.verdicts[2].finding.reason for one in each] == [file.filename for file in self.FILES]
            assert all(one.verdicts[1].finding.outcome is not Outcome.PASS for one in each)

    def test_no_files_are_judged_by_nothing(self) -> None:
        about = ProjectEvidence(Origin("pypi"), a_status(StatusMarker.ACTIVE), (), (), None, NO_FEED, None)
        assert (
            list(decide_each(Policy("test", "digest", ()).for_project("a"), about, [], lambda file: (), UPLOADED)) == []
        )


class TestEffects:
    def test_file_that_every_rule_passes_is_allowed(self) -> None:
        decision = decided([entry(Scripted("r0")), entry(Scripted("r1"))])
        assert decision.effect is Effect.ALLOW
        assert not decision.refused
        assert [verdict.rule for verdict in decision.verdicts] == ["r0", "r1"]

    def test_failing_and_unknown_have_their_own_effects(self) -> None:
        one = entry(Scripted("r0", FAIL), on_fail=Effect.WARN, on_unknown=Effect.DENY)
        assert decided([one]).effect is Effect.WARN
        assert decided([replace(one, rule=Scripted("r0", UNKNOWN))]).effect is Effect.DENY

    def test_finding_can_only_lower_the_effect_of_its_policy(self) -> None:
        mild = Scripted("r0", structs.replace(FAIL, at_most=Effect.WARN))
        assert decided([entry(mild, on_fail=Effect.DENY)]).effect is Effect.WARN
        grave = Scripted("r0", structs.replace(FAIL, at_most=Effect.DENY))
        assert decided([entry(grave, on_fail=Effect.WARN)]).effect is Effect.WARN

    def test_what_is_pending_refuses_no_file_while_its_evidence_is_awaited_and_every_one_afterwards(self) -> None:
        waits = entry(NeedsProvenance("r0", structs.replace(UNKNOWN, pending=True)), on_unknown=Effect.DENY)
        rules = Policy("test", "digest", (waits,)).for_project("litellm")
        assert decide(rules, evidence_of(), (), UPLOADED, awaited=frozenset(Need)).effect is Effect.WARN
        assert decide(rules, evidence_of(), (), UPLOADED, awaited=frozenset({Need.INSPECTION})).effect is Effect.DENY
        assert decide(rules, evidence_of(), (), UPLOADED).effect is Effect.DENY

    def test_what_is_not_pending_refuses_on_pages_as_well(self) -> None:
        for finding in (UNKNOWN, FAIL):
            rules = Policy("test", "digest", (entry(NeedsProvenance("r0", finding)),)).for_project("litellm")
            on_page, for_good = (
                decide(rules, evidence_of(), (), UPLOADED, awaited=awaited)
                for awaited in (frozenset(Need), frozenset())
            )
            assert on_page == for_good
            assert on_page.refused

    def test_first_of_the_gravest_verdicts_decides(self) -> None:
        decision = decided(
            [
                entry(Scripted("r0", FAIL), on_fail=Effect.WARN),
                entry(Scripted("r1", FAIL), on_fail=Effect.QUARANTINE),
                entry(Scripted("r2", FAIL), on_fail=Effect.QUARANTINE),
            ]
        )
        assert decision.deciding is not None
        assert decision.deciding.rule == "r1"

    @given(policies)
    def test_worst_effect_wins(self, entries: list[PolicyRule]) -> None:
        decision = decided(entries)
        assert decision.effect == max((verdict.counts for verdict in decision.verdicts), default=Effect.ALLOW)
        for one in entries:
            alone = decided([one])
            assert alone.effect <= decision.effect

    @given(policies, policies, st.integers(0, 6), waivers_of, moments)
    def test_adding_rules_never_lowers_the_effect(
        self, entries: list[PolicyRule], added: list[PolicyRule], position: int, waivers: list[Waiver], at: datetime
    ) -> None:
        with_it = [*entries[:position], *added, *entries[position:]]
        assert decided(with_it, waivers, at).effect >= decided(entries, waivers, at).effect

    @given(policies, waivers_of, moments)
    def test_order_of_rules_never_changes_the_effect(
        self, entries: list[PolicyRule], waivers: list[Waiver], at: datetime
    ) -> None:
        assert decided(entries[::-1], waivers, at).effect is decided(entries, waivers, at).effect

    @given(policies, waivers_of, moments)
    def test_observed_rules_never_change_the_effect(
        self, entries: list[PolicyRule], waivers: list[Waiver], at: datetime
    ) -> None:
        enforced = [one for one in entries if one.mode is Mode.ENFORCE]
        assert decided(entries, waivers, at).effect is decided(enforced, waivers, at).effect
        observed = [replace(one, mode=Mode.OBSERVE) for one in entries]
        assert decided(observed, waivers, at).effect is Effect.ALLOW

    def test_observed_verdict_still_tells_what_it_would_have_done(self) -> None:
        decision = decided([entry(Scripted("r0", FAIL), mode=Mode.OBSERVE)])
        (verdict,) = decision.verdicts
        assert (verdict.effect, verdict.counts, decision.deciding) == (Effect.DENY, Effect.ALLOW, None)

    @given(policies, waivers_of, moments)
    def test_deciding_is_deterministic(self, entries: list[PolicyRule], waivers: list[Waiver], at: datetime) -> None:
        assert decided(entries, waivers, at) == decided(entries, waivers, at)

    def test_decision_carries_the_digest_of_its_policy(self) -> None:
        assert decided([entry(Scripted("r0"))]).policy_digest == "digest"
        assert decided([entry(Scripted("r0", FAIL))]).policy_digest == "digest"

    def test_files_that_pass_share_one_decision(self) -> None:
        project_rules = Policy("test", "digest", (entry(Scripted("r0")),)).for_project("litellm")
        one = decide(project_rules, evidence_of(), (), UPLOADED)
        assert decide(project_rules, evidence_of(a_file(filename="x.whl")), (), UPLOADED) is one

    def test_files_that_are_found_alike_share_one_decision_that_nothing_but_evidence_changes(self) -> None:
        waits = entry(NeedsProvenance("r0", structs.replace(UNKNOWN, pending=True)), on_unknown=Effect.DENY)
        rules = Policy("test", "digest", (waits, entry(Scripted("r1")))).for_project("litellm")
        others = evidence_of(a_file(filename="x.whl"))
        one = decide(rules, evidence_of(), (), UPLOADED, awaited=frozenset(Need))
        assert decide(rules, others, (), UPLOADED, awaited=frozenset(Need)) is one
        assert decide(rules, others, (), UPLOADED).effect is Effect.DENY
        assert decide(rules, others, [a_waiver("r0")], UPLOADED).effect is Effect.ALLOW

    def test_projects_that_the_same_rules_apply_to_share_what_is_decided_alike_and_no_others_do(self) -> None:
        fails, special = entry(Scripted("r0", FAIL)), entry(Scripted("r1"), selector=Selector(("other",)))
        policy = Policy("test", "digest", (fails, special))
        one, same, other = (policy.for_project(name) for name in ("litellm", "six", "other"))
        decision = decide(one, evidence_of(), (), UPLOADED)
        assert decide(same, evidence_of(), (), UPLOADED) is decision
        assert [verdict.rule for verdict in decision.verdicts] == ["r0"]
        assert [verdict.rule for verdict in decide(other, evidence_of(), (), UPLOADED).verdicts] == ["r0", "r1"]

    def test_no_more_decisions_are_shared_than_find_room(self) -> None:
        rules = Policy("test", "digest", (entry(TellsNames("r0")),)).for_project("litellm")
        for name in map(str, range(2 * SHARED)):
            deciding = decide(rules, evidence_of(a_file(filename=name)), (), UPLOADED).deciding
            assert deciding is not None
            assert deciding.finding.reason == name
        assert len(rules.shared) <= SHARED

    def test_decisions_that_time_changes_are_not_shared(self) -> None:
        rules = Policy("test", "digest", (entry(Scripted("r0", FAIL, UPLOADED + HOUR)),)).for_project("litellm")
        assert decide(rules, evidence_of(), (), UPLOADED).changes_at == UPLOADED + HOUR
        assert decide(rules, evidence_of(), (), UPLOADED + HOUR).effect is Effect.ALLOW


class TestNeeds:
    def test_a_policy_asks_for_what_its_rules_ask_for_and_a_project_for_what_its_own_do(self) -> None:
        document = '[[rule]]\nid = "provenance"\nmatch = { projects = ["litellm"] }\n[[rule]]\nid = "vanished"\n'
        policy = parse_policy(document, "test.toml")
        assert policy.needs == {Need.PROVENANCE}
        assert policy.for_project("litellm").needs == {Need.PROVENANCE}
        assert policy.for_project("other").needs == frozenset()

    def test_what_several_rules_want_verified_is_verified_once(self) -> None:
        document = '[[rule]]\nid = "provenance"\n[[rule]]\nid = "provenance-downgrade"\n'
        file = a_file(provenance="https://index.example/provenance")
        rules = parse_policy(document, "test.toml").for_project("litellm")
        assert rules.to_verify(evidence_of(file), AttestedUploads([file]), UPLOADED) == (file,)

    def test_policies_that_ask_for_nothing_want_nothing_verified(self) -> None:
        file = a_file(provenance="https://index.example/provenance")
        assert (
            parse_policy('[[rule]]\nid = "vanished"\n', "x")
            .for_project("a")
            .to_verify(evidence_of(file), AttestedUploads([file]), UPLOADED)
            == ()
        )


class TestSelectors:
    def test_rule_looks_at_the_projects_that_it_matches(self) -> None:
        selector = Selector(("acme-*", "litellm"), ("acme-web*",))
        policy = Policy("test", "digest", (entry(Scripted("r0"), selector=selector),))
        judged = {name for name in ("litellm", "litellm2", "acme-core", "acme-web-x") if policy.for_project(name).rules}
        assert judged == {"litellm", "acme-core"}

    def test_policy_that_matches_nothing_allows(self) -> None:
        policy = Policy("test", "digest", (entry(Scripted("r0", FAIL), selector=Selector(("acme-*",))),))
        assert decide(policy.for_project("litellm"), evidence_of(), (), UPLOADED).effect is Effect.ALLOW


class TestWaivers:
    def test_waiver_lowers_its_rule_and_stays_visible(self) -> None:
        decision = decided([entry(Scripted("r0", FAIL))], [a_waiver("r0")])
        (verdict,) = decision.verdicts
        assert decision.effect is Effect.ALLOW
        assert (verdict.effect, verdict.waiver, verdict.finding.outcome) == (Effect.ALLOW, "W-1", Outcome.FAIL)
        assert decision.changes_at == UPLOADED + HOUR

    def test_passing_verdict_needs_no_waiver(self) -> None:
        decision = decided([entry(Scripted("r0")), entry(Scripted("r1", FAIL))], [a_waiver("r0")])
        assert [verdict.waiver for verdict in decision.verdicts] == [None, None]

    def test_unknown_can_be_waived(self) -> None:
        assert decided([entry(Scripted("r0", UNKNOWN))], [a_waiver("r0")]).effect is Effect.ALLOW

    @pytest.mark.parametrize(
        "waiver",
        [
            a_waiver("r0", begins=UPLOADED - HOUR),
            a_waiver("r0", begins=UPLOADED + timedelta(microseconds=1)),
            a_waiver("r0", revoked_at=UPLOADED),
            a_waiver("R0"),
            a_waiver("*"),
        ],
        ids=["expired this moment", "begins later", "revoked", "other case", "glob"],
    )
    def test_waiver_that_does_not_stand_does_nothing(self, waiver: Waiver) -> None:
        assert decided([entry(Scripted("r0", FAIL))], [waiver]).effect is Effect.DENY

    def test_waiver_that_begins_later_is_a_moment_of_change(self) -> None:
        decision = decided([entry(Scripted("r0", FAIL))], [a_waiver("r0", begins=UPLOADED + HOUR)])
        assert decision.changes_at == UPLOADED + HOUR

    def test_revoked_waiver_is_no_moment_of_change(self) -> None:
        assert decided([entry(Scripted("r0", FAIL))], [a_waiver("r0", revoked_at=UPLOADED)]).changes_at is None

    @given(policies, waivers_of, moments)
    def test_waiver_lowers_exactly_one_rules_verdicts(
        self, entries: list[PolicyRule], waivers: list[Waiver], at: datetime
    ) -> None:
        standing = {waiver.rule for waiver in waivers if waiver.stands_at(at)}
        plain, waived = decided(entries, (), at), decided(entries, waivers, at)
        for before, after in zip(plain.verdicts, waived.verdicts, strict=True):
            assert after.finding == before.finding
            if before.rule in standing and before.effect is not Effect.ALLOW:
                assert after.effect is Effect.ALLOW
                assert after.waiver is not None
            else:
                assert after == before


class TestBrokenRules:
    def test_rule_that_raises_is_unknown(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            decision = decided([entry(Broken(), on_unknown=Effect.QUARANTINE)])
        (verdict,) = decision.verdicts
        assert decision.effect is Effect.QUARANTINE
        assert verdict.finding == Finding(Outcome.UNKNOWN, "the rule failed: ZeroDivisionError")
        assert "rule broken failed on litellm-1.82.8-py3-none-any.whl" in caplog.text

    def test_rule_that_raises_does_not_keep_others_from_judging(self) -> None:
        decision = decided([entry(Broken(), on_unknown=Effect.WARN), entry(Scripted("r0", FAIL))])
        assert decision.deciding is not None
        assert decision.deciding.rule == "r0"
