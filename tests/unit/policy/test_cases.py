from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.evidence import UPLOADED

from pinfold.domain.errors import InvalidCases
from pinfold.domain.evidence import Known
from pinfold.domain.names import FileKind
from pinfold.domain.project import StatusMarker
from pinfold.policy.cases import Case, parse_cases
from pinfold.policy.document import parse_policy
from pinfold.policy.run_cases import CaseResult, evidence_at, run_cases

AGE = parse_policy('[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n', "age.toml")
STATUS = parse_policy('[[rule]]\nid = "upstream-status"\n', "status.toml")
POLICIES = {"age": AGE, "status": STATUS}

HEAD = """[[case]]
name = "litellm"
project = "LiteLLM"
story = "A stolen token."
"""
FILES = """[[case.file]]
filename = "litellm-1.82.8-py3-none-any.whl"
uploaded = 2026-03-24T10:52:00Z
vanished = 2026-03-24T13:11:00Z
[[case.file]]
filename = "litellm-1.82.8.tar.gz"
uploaded = 2026-03-24T10:53:00Z
"""
EXPECT = """[[case.expect]]
at = 2026-03-24T11:52:00Z
file = "*.whl"
age = "quarantine by minimum-age"
"""


def parsed(text: str) -> tuple[Case, ...]:
    return parse_cases(text, "cases/mine.toml", POLICIES)


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidCases) as raised:
        parsed(text)
    return raised.value.problems


def run(text: str) -> list[CaseResult]:
    return run_cases(parsed(text), POLICIES)


class TestRunning:
    def test_result_tells_what_was_expected_and_what_came_out(self) -> None:
        (result,) = run(HEAD + FILES + EXPECT)
        assert result == CaseResult(
            case="litellm",
            filename="litellm-1.82.8-py3-none-any.whl",
            at=datetime(2026, 3, 24, 11, 52, tzinfo=UTC),
            policy="age",
            expected="quarantine by minimum-age",
            got="quarantine by minimum-age",
            reason="uploaded 1 h ago, needs 3 d",
        )
        assert result.passed

    @pytest.mark.parametrize(
        "expected", ["allow", "deny by minimum-age", "warn by minimum-age", "quarantine by vanished"]
    )
    def test_other_effects_and_other_rules_are_failures(self, expected: str) -> None:
        (result,) = run(HEAD + FILES + EXPECT.replace("quarantine by minimum-age", expected))
        assert not result.passed
        assert result.got == "quarantine by minimum-age"

    def test_expectation_is_about_every_file_unless_it_names_some(self) -> None:
        results = run(HEAD + FILES + EXPECT.replace('file = "*.whl"\n', 'status = "allow"\n'))
        assert [(result.filename[-3:], result.policy, result.passed) for result in results] == [
            ("whl", "status", True),
            ("whl", "age", True),
            (".gz", "status", True),
            (".gz", "age", True),
        ]

    def test_allowed_file_has_no_reason(self) -> None:
        (result,) = run(HEAD + FILES + '[[case.expect]]\nat = 2027-01-01T00:00:00Z\nfile = "*.gz"\nage = "allow"\n')
        assert (result.passed, result.got, result.reason) == (True, "allow", "")


class TestEvidence:
    def test_facts_become_evidence(self) -> None:
        (case,) = parsed(HEAD + "private_name = true\nprivate_upstream = true\n" + FILES + EXPECT)
        evidence = evidence_at(case, case.files[0], UPLOADED)
        assert (evidence.project, evidence.private_name, evidence.origin.private) == ("litellm", True, True)
        assert (evidence.file.kind, evidence.file.version) == (FileKind.WHEEL, "1.82.8")
        assert evidence.file.upload_time == UPLOADED
        assert isinstance(evidence.sighting, Known)
        assert evidence.sighting.value.first_seen == UPLOADED
        assert evidence.sighting.value.sha256 == evidence.file.sha256

    def test_what_happens_later_is_not_known_yet(self) -> None:
        status = '[[case.status]]\nmarker = "quarantined"\nsince = 2026-03-24T12:00:00Z\n'
        active_again = '[[case.status]]\nmarker = "active"\nsince = 2026-03-25T12:00:00Z\n'
        (case,) = parsed(HEAD + FILES + active_again + status + EXPECT)
        seen = []
        for hours in (1, 2, 3, 30):
            evidence = evidence_at(case, case.files[0], UPLOADED + timedelta(hours=hours))
            assert isinstance(evidence.sighting, Known)
            assert isinstance(evidence.upstream_status, Known)
            seen.append((evidence.upstream_status.value.status.marker, evidence.sighting.value.vanished_at is not None))
        assert seen == [
            (StatusMarker.ACTIVE, False),
            (StatusMarker.QUARANTINED, False),
            (StatusMarker.QUARANTINED, True),
            (StatusMarker.ACTIVE, True),
        ]

    def test_a_project_may_resemble_another_by_what_is_known_at_the_moment(self) -> None:
        (case,) = parsed(HEAD + 'resembles = ["LiteLM"]\n' + FILES + EXPECT)
        seen = evidence_at(case, case.files[0], UPLOADED).resemblance
        assert isinstance(seen, Known)
        assert seen.value is not None
        assert [likeness.name for likeness in seen.value.likenesses] == ["litelm"]
        assert (seen.value.first_upload, seen.value.releases) == (UPLOADED, 1)
        (ours,) = parsed(HEAD + 'resembles = ["litelm"]\nprivate_upstream = true\n' + FILES + EXPECT)
        assert evidence_at(ours, ours.files[0], UPLOADED).resemblance == Known(None)

    def test_hash_and_first_sighting_can_be_stated(self) -> None:
        facts = FILES.replace("vanished = 2026-03-24T13:11:00Z", f'seen = 2026-03-24T11:00:00Z\nsha256 = "{"ab" * 32}"')
        (case,) = parsed(HEAD + facts + EXPECT)
        evidence = evidence_at(case, case.files[0], UPLOADED)
        assert evidence.file.sha256 == "ab" * 32
        assert isinstance(evidence.sighting, Known)
        assert evidence.sighting.value.first_seen == UPLOADED + timedelta(minutes=8)


class TestProblems:
    def test_every_mistake_is_told_at_once_with_its_place(self) -> None:
        text = """[[case]]
name = "litellm"
projct = "litellm"
story = "s"

[[case.file]]
filename = "litellm-1.82.8.tar.gz"
uploaded = 2026-03-24T10:53:00
sha256 = "abc"

[[case.file]]
filename = 3
uploaded = "yesterday"

[[case.expect]]
at = 2026-03-24
age = "quarantined"
status = "deny by minimum-agee"
"""
        wanted = 'must be "allow", or an effect and the rule that decides, as in "quarantine by minimum-age"'
        found = problems(text)
        assert found == [
            "cases/mine.toml:1: case 1 (litellm): project: is missing",
            "cases/mine.toml:3: case 1 (litellm): projct: there is no such key; did you mean project?",
            (
                "cases/mine.toml:8: case 1 (litellm): file 1 (litellm-1.82.8.tar.gz): uploaded: must state its time "
                'zone, as in 2026-03-24T10:52:00Z, found "2026-03-24 10:53:00"'
            ),
            found[3],
            "cases/mine.toml:12: case 1 (litellm): file 2: filename: must be a text in quotes, found 3",
            (
                "cases/mine.toml:13: case 1 (litellm): file 2: uploaded: must be a date with a time, such as "
                '2026-03-24T10:52:00Z, found "yesterday"'
            ),
            (
                "cases/mine.toml:16: case 1 (litellm): expect 1: at: must be a date with a time, such as "
                '2026-03-24T10:52:00Z, found "2026-03-24"'
            ),
            f"cases/mine.toml:17: case 1 (litellm): expect 1: age: {wanted}",
            (
                "cases/mine.toml:18: case 1 (litellm): expect 1: status: there is no rule minimum-agee; did you mean "
                "minimum-age?"
            ),
        ]
        assert found[3].startswith("cases/mine.toml:9: case 1 (litellm): file 1 (litellm-1.82.8.tar.gz): sha256: ")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "1: case: is missing"),
            ("x = ", "1: is not TOML: Invalid value"),
            (HEAD + FILES, "1: case 1 (litellm): expect: is missing"),
            (HEAD + EXPECT, "1: case 1 (litellm): file: is missing"),
            (
                HEAD + FILES + EXPECT.replace("age =", "agee ="),
                "15: case 1 (litellm): expect 1: agee: there is no such policy; did you mean age?",
            ),
            (
                HEAD + FILES + EXPECT.replace('age = "quarantine by minimum-age"\n', ""),
                "12: case 1 (litellm): expect 1: expects nothing: add a policy's name with an outcome",
            ),
            (
                HEAD + FILES + EXPECT.replace("*.whl", "*.egg"),
                '14: case 1 (litellm): expect 1: file: no file of the case is called "*.egg"',
            ),
            (
                HEAD + FILES + EXPECT.replace("11:52", "10:51"),
                (
                    "13: case 1 (litellm): expect 1: at: litellm-1.82.8-py3-none-any.whl is not there before "
                    "2026-03-24T10:52:00+00:00"
                ),
            ),
            (
                HEAD + FILES.replace("litellm-1.82.8.tar.gz", "fastapi-1.0.tar.gz") + EXPECT,
                (
                    "10: case 1 (litellm): file 2 (fastapi-1.0.tar.gz): filename: 'fastapi-1.0.tar.gz' names the "
                    "project 'fastapi', not 'litellm'"
                ),
            ),
        ],
    )
    def test_each_mistake_has_its_sentence(self, text: str, problem: str) -> None:
        assert problems(text) == [f"cases/mine.toml:{problem}"]

    @pytest.mark.parametrize("outcome", ["", "allow by vanished", "deny", "deny by", "DENY by vanished", "deny by x y"])
    def test_outcomes_that_no_policy_reaches_are_refused(self, outcome: str) -> None:
        (problem,) = problems(HEAD + FILES + EXPECT.replace("quarantine by minimum-age", outcome))
        assert problem.startswith("cases/mine.toml:15: case 1 (litellm): expect 1: age: ")
