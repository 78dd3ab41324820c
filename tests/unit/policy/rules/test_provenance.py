from dataclasses import replace

import pytest
from pydantic import ValidationError
from tests.fakes.evidence import SEEN, a_file, evidence_of
from tests.fakes.publishers import ACCOUNT, OWN, THIEF, a_publisher, proof_of

from pinfold.domain.decision import PASS, Outcome
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import Environment, Invalid, PublisherKind, PublisherPin, Unattested, pin_of
from pinfold.domain.records import PublisherDecision
from pinfold.domain.release_lines import AttestedUploads
from pinfold.policy.rules.provenance import ProvenanceRule

URL = "https://index.example/integrity/litellm/1.82.8/litellm-1.82.8-py3-none-any.whl/provenance"
ATTESTED = a_file(provenance=URL)
PINNED = ProvenanceRule.model_validate(
    {"publishers": [{"kind": "GitHub", "repository": "berriai/LiteLLM", "workflow": "publish.yml"}]}
)
ANYBODY = ProvenanceRule()
ONLY_PINNED = ProvenanceRule(require="pinned")


def judge(rule, **changes):
    finding = rule.judge(evidence_of(ATTESTED, **changes), SEEN)
    return finding.outcome, finding.reason


def test_the_publisher_that_may_passes_in_any_spelling_of_the_repository() -> None:
    assert PINNED.judge(evidence_of(ATTESTED, provenance=proof_of(OWN)), SEEN) is PASS


@pytest.mark.parametrize(
    "publisher",
    [
        THIEF,
        ACCOUNT,
        replace(OWN, workflow="Publish.yml"),
        replace(OWN, repository="BerriAI/litellm2"),
        replace(OWN, kind=PublisherKind.GITLAB),
    ],
    ids=str,
)
def test_any_other_publisher_fails_and_is_named(publisher) -> None:
    assert judge(PINNED, provenance=proof_of(publisher)) == (
        Outcome.FAIL,
        f"published by {publisher}, needs GitHub berriai/LiteLLM (publish.yml)",
    )


def test_one_of_several_publishers_is_enough() -> None:
    assert PINNED.judge(evidence_of(ATTESTED, provenance=proof_of(THIEF, OWN)), SEEN) is PASS


def test_without_names_whoever_is_proven_passes() -> None:
    assert ANYBODY.judge(evidence_of(ATTESTED, provenance=proof_of(THIEF)), SEEN) is PASS


def test_missing_and_invalid_provenance_fail() -> None:
    for rule in (ANYBODY, PINNED):
        assert judge(rule, provenance=Known(Unattested()))[0] is Outcome.FAIL
        assert judge(rule, provenance=Known(Invalid("DSSE: invalid signature")))[0] is Outcome.FAIL
    assert judge(ANYBODY, provenance=Known(Unattested()))[1] == "not attested, but has to be"
    assert (
        judge(PINNED, provenance=Known(Unattested()))[1] == "not attested, needs GitHub berriai/LiteLLM (publish.yml)"
    )
    assert "DSSE: invalid signature" in judge(ANYBODY, provenance=Known(Invalid("DSSE: invalid signature")))[1]


def test_unknown_is_pending_only_where_the_index_names_provenance_that_can_be_fetched() -> None:
    unknown = Unknown("its provenance is not verified yet")
    for file, pending in ((ATTESTED, True), (a_file(provenance=False), False)):
        finding = ANYBODY.judge(evidence_of(file, provenance=unknown), SEEN)
        assert (finding.outcome, finding.reason, finding.pending) == (Outcome.UNKNOWN, unknown.why, pending)


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [
        (Environment("Release", certified=True), Outcome.PASS),
        (Environment("release", certified=False), Outcome.PASS),
        (Environment("test", certified=True), Outcome.FAIL),
        (None, Outcome.FAIL),
    ],
    ids=["certified", "by the index's word", "another", "none"],
)
def test_an_environment_counts_where_it_is_named(environment, outcome) -> None:
    publishers = [{"kind": "GitHub", "repository": "BerriAI/litellm", "environment": "release"}]
    rule = ProvenanceRule.model_validate({"publishers": publishers})
    assert judge(rule, provenance=proof_of(replace(OWN, environment=environment)))[0] is outcome


def test_an_account_is_compared_exactly() -> None:
    rule = ProvenanceRule.model_validate({"publishers": [{"kind": "Google", "email": "robot@example.com"}]})
    assert judge(rule, provenance=proof_of(ACCOUNT))[0] is Outcome.PASS
    assert judge(rule, provenance=proof_of(replace(ACCOUNT, email="Robot@example.com")))[0] is Outcome.FAIL


def test_only_pinned_projects_are_judged_where_the_rule_says_so() -> None:
    pinned = a_publisher(pin_of(OWN), PublisherDecision.PIN)
    accepted = replace(pinned, decision=PublisherDecision.ACCEPT)
    for records, outcome in (((), Outcome.PASS), ((accepted,), Outcome.PASS), ((pinned,), Outcome.FAIL)):
        assert judge(ONLY_PINNED, provenance=proof_of(THIEF), publishers=records)[0] is outcome
        assert judge(ONLY_PINNED, provenance=Known(Unattested()), publishers=records)[0] is outcome
    assert judge(ONLY_PINNED, provenance=proof_of(OWN), publishers=(pinned,))[0] is Outcome.PASS


def test_pins_join_what_the_rule_names_and_acceptances_do_not() -> None:
    pin = a_publisher(pin_of(THIEF), PublisherDecision.PIN)
    assert judge(PINNED, provenance=proof_of(THIEF), publishers=(pin,))[0] is Outcome.PASS
    assert judge(PINNED, provenance=proof_of(OWN), publishers=(pin,))[0] is Outcome.PASS
    accepted = replace(pin, decision=PublisherDecision.ACCEPT)
    assert judge(PINNED, provenance=proof_of(THIEF), publishers=(accepted,))[0] is Outcome.FAIL


def test_a_pin_on_any_rule_makes_anybody_a_somebody() -> None:
    pin = a_publisher(PublisherPin(PublisherKind.GITHUB, "BerriAI/litellm"), PublisherDecision.PIN)
    assert judge(ANYBODY, provenance=proof_of(THIEF), publishers=(pin,))[0] is Outcome.FAIL


def test_only_what_is_judged_and_can_be_fetched_is_to_be_verified() -> None:
    silent, bare = a_file(provenance=False), a_file(provenance=True)
    assert ANYBODY.to_verify(evidence_of(ATTESTED), AttestedUploads([ATTESTED]), SEEN) == (ATTESTED,)
    assert ANYBODY.to_verify(evidence_of(silent), AttestedUploads([silent]), SEEN) == ()
    assert ANYBODY.to_verify(evidence_of(bare), AttestedUploads([bare]), SEEN) == ()
    assert ONLY_PINNED.to_verify(evidence_of(ATTESTED), AttestedUploads([ATTESTED]), SEEN) == ()
    pinned = evidence_of(ATTESTED, publishers=(a_publisher(pin_of(OWN), PublisherDecision.PIN),))
    assert ONLY_PINNED.to_verify(pinned, AttestedUploads([ATTESTED]), SEEN) == (ATTESTED,)


@pytest.mark.parametrize(
    "publisher",
    [
        {"kind": "CircleCI", "repository": "a/b"},
        {"kind": "GitHub", "repository": "litellm"},
        {"kind": "GitHub", "email": "robot@example.com"},
        {"kind": "Google", "email": "robot"},
        {"kind": "GitHub", "repository": "a/b", "branch": "main"},
        {"kind": "GitHub", "repository": "a/b", "workflow": ""},
        {"repository": "a/b"},
    ],
    ids=str,
)
def test_what_names_no_publisher_is_a_mistake_of_the_document(publisher) -> None:
    with pytest.raises(ValidationError):
        ProvenanceRule.model_validate({"publishers": [publisher]})
