"""The policies that come with Pinfold: what their cases say, and what nobody should have to say."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.evidence import OTHER_SHA256, SEEN, UPLOADED, a_file, a_sighting, a_status, evidence_of

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.decision import Effect, Mode
from pinfold.domain.evidence import Evidence, Known, Origin, Unknown
from pinfold.domain.names import FileKind
from pinfold.domain.project import StatusMarker
from pinfold.domain.records import QuarantineRecord
from pinfold.domain.target import ProjectTarget
from pinfold.policy.engine import Policy, decide
from pinfold.policy.run_cases import CaseResult, run_cases

FILES = PolicyFiles()
RESULTS = run_cases(FILES.cases(), FILES.policies())
MONTHS_LATER = UPLOADED + timedelta(days=100)


@pytest.fixture(params=FILES.names())
def policy(request: pytest.FixtureRequest) -> Policy:
    return FILES.load(request.param)


def effect(policy: Policy, evidence: Evidence, at=MONTHS_LATER) -> tuple[Effect, str | None]:
    decision = decide(policy.for_project(evidence.project), evidence, (), at)
    return decision.effect, decision.deciding.rule if decision.deciding else None


def name_of(result: CaseResult) -> str:
    return f"{result.policy} {result.filename} {result.at:%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize("result", RESULTS, ids=name_of)
def test_case_comes_out_as_expected(result: CaseResult) -> None:
    assert result.got == result.expected, result.reason


def test_cases_cover_the_incidents_and_both_policies() -> None:
    told = {case.project for case in FILES.cases()}
    assert {"litellm", "telnyx", "ultralytics", "torchtriton", "dydx-v4-client", "fastapi", "guardrails-ai"} <= told
    assert {result.policy for result in RESULTS} == {"baseline", "strict"}
    for case in FILES.cases():
        for expectation in case.expectations:
            assert expectation.outcomes.keys() == {"baseline", "strict"}, case.name


def test_strict_is_never_milder_than_baseline() -> None:
    rank = {"allow": 0, "warn": 1, "quarantine": 2, "deny": 3}
    got = {(result.case, result.filename, result.at, result.policy): rank[result.got.split()[0]] for result in RESULTS}
    for (case, filename, at, policy), grade in got.items():
        if policy == "baseline":
            assert got[case, filename, at, "strict"] >= grade


def test_name_is_the_documents_and_everything_is_enforced(policy: Policy) -> None:
    assert policy.name in FILES.names()
    assert FILES.load(policy.name).digest == policy.digest
    assert policy.description
    assert {entry.mode for entry in policy.rules} == {Mode.ENFORCE}
    assert all(entry.selector.admits("anything") for entry in policy.rules)


def test_ordinary_file_of_some_age_passes(policy: Policy) -> None:
    for kind in (FileKind.WHEEL, FileKind.SDIST):
        assert effect(policy, evidence_of(a_file(kind=kind))) == (Effect.ALLOW, None)


def test_own_release_passes_at_once(policy: Policy) -> None:
    ours = evidence_of(project="acme-core", private_name=True, origin=Origin("ours", private=True))
    assert effect(policy, ours, SEEN) == (Effect.ALLOW, None)


@pytest.mark.parametrize("marker", [StatusMarker.ARCHIVED, StatusMarker.DEPRECATED])
def test_archived_and_deprecated_projects_are_served_with_a_warning(policy: Policy, marker: StatusMarker) -> None:
    evidence = evidence_of(upstream_status=a_status(marker, UPLOADED))
    assert effect(policy, evidence) == (Effect.WARN, "upstream-status")


def test_young_file_of_a_quarantined_project_is_refused_and_an_old_one_served(policy: Policy) -> None:
    young = a_status(StatusMarker.QUARANTINED, UPLOADED + timedelta(days=5))
    assert effect(policy, evidence_of(upstream_status=young))[0].refuses
    old = a_status(StatusMarker.QUARANTINED, UPLOADED + timedelta(days=500))
    at = UPLOADED + timedelta(days=501)
    assert effect(policy, evidence_of(upstream_status=old), at) == (Effect.WARN, "upstream-status")


def test_quarantined_project_takes_its_young_files_away_and_they_stay_away(policy: Policy) -> None:
    since = UPLOADED + timedelta(days=5)
    evidence = evidence_of(
        upstream_status=a_status(StatusMarker.QUARANTINED, since), sighting=Known(a_sighting(vanished_at=since))
    )
    assert effect(policy, evidence)[1] == "vanished"


def test_records_hold(policy: Policy) -> None:
    record = QuarantineRecord("Q-1", ProjectTarget("litellm"), "compromised", None, "alice", UPLOADED)
    assert effect(policy, evidence_of(records=(record,))) == (Effect.QUARANTINE, "quarantined")


def test_impostors_and_swapped_bytes_are_denied(policy: Policy) -> None:
    assert effect(policy, evidence_of(private_name=True)) == (Effect.DENY, "private-name")
    assert effect(policy, evidence_of(a_file(sha256=OTHER_SHA256))) == (Effect.DENY, "hash-changed")


@pytest.mark.parametrize(
    "evidence",
    [
        evidence_of(a_file(upload_time=None)),
        evidence_of(sighting=Unknown("the store lost it")),
        evidence_of(upstream_status=Unknown("the page did not say")),
    ],
    ids=["upload time", "sighting", "upstream status"],
)
def test_missing_evidence_is_refused(policy: Policy, evidence: Evidence) -> None:
    assert effect(policy, evidence)[0].refuses


def test_strict_takes_no_formats_of_the_past() -> None:
    egg = evidence_of(a_file(kind=FileKind.OTHER))
    assert effect(FILES.load("strict"), egg) == (Effect.DENY, "file-type")
    assert effect(FILES.load("baseline"), egg) == (Effect.ALLOW, None)


def test_readme_shows_documents_that_are_valid(tmp_path: Path) -> None:
    """Every TOML example of the policies' README that holds rules or cases is one that Pinfold takes."""
    text = (Path(__file__).parents[3] / "policies" / "README.md").read_text(encoding="utf-8")
    examples = [block.split("```")[0] for block in text.split("```toml\n")[1:]]
    policies = [example for example in examples if "[[rule]]" in example]
    (cases,) = [example for example in examples if "[[case]]" in example]
    (tmp_path / "cases").mkdir()
    for position, example in enumerate(policies):
        (tmp_path / f"example-{position}.toml").write_text(example)
    (tmp_path / "cases" / "example.toml").write_text(cases)
    assert len(FILES.policies(tmp_path)) == len(policies) + 2
    assert len(policies) == 15
    results = run_cases(FILES.cases(tmp_path), FILES.policies(tmp_path))
    assert results
    assert all(result.passed for result in results)
