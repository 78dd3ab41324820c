"""`pinfold policy` and `pinfold index`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

Answer = Callable[..., Any]
OWN = """
[[rule]]
id = "minimum-age"
params = { days = 30 }
mode = "observe"
match = { projects = ["*"], except = ["acme-*"] }
"""
CASE = """
[[case]]
name = "a young file"
project = "litellm"
story = "It is one day old."

[[case.file]]
filename = "litellm-1.0.tar.gz"
uploaded = 2026-03-23T12:00:00Z

[[case.expect]]
at = 2026-03-24T12:00:00Z
baseline = "{expected}"
"""


def test_a_policy_is_checked(run: Run, answer: Answer) -> None:
    Path("own.toml").write_text(OWN)
    document = answer("policy", "check", "own.toml")
    assert (document["valid"], document["problems"], document["policy"]["name"]) == (True, [], "own")
    assert run("policy", "check", "own.toml").stdout.startswith("own.toml is a policy of ")


def test_a_wrong_policy_is_the_answer_no_with_every_problem(run: Run, answer: Answer) -> None:
    Path("own.toml").write_text(OWN.replace("minimum-age", "min-age").replace("observe", "watch"))
    document = answer("policy", "check", "own.toml", exit_code=1)
    assert document["valid"] is False
    assert len(document["problems"]) == 2
    result = run("policy", "check", "own.toml")
    assert (result.exit_code, result.stdout.splitlines()) == (1, document["problems"])


@pytest.mark.parametrize("name", ["absent.toml", "baseline"])
def test_what_is_no_document_is_wrong_usage(run: Run, name: str) -> None:
    Path("baseline").write_text(OWN)
    assert run("policy", "check", name).exit_code == 2


def test_a_policy_is_shown_with_what_it_means(run: Run, answer: Answer) -> None:
    Path("own.toml").write_text(OWN)
    (line,) = [line for line in run("policy", "show", "own.toml").stdout.splitlines() if "minimum-age" in line]
    assert "minimum-age (observed)" in line
    assert "* except acme-*" in line
    assert "days=30" in line
    assert answer("policy", "show", "own.toml")["digest"] in run("policy", "show", "own.toml").stdout
    assert answer("policy", "show") == answer("policy", "show", "baseline")
    assert run("policy", "show", "basline").stderr.endswith("did you mean baseline?; a document's path ends in .toml\n")


def test_cases_decide_the_exit_code(run: Run, answer: Answer) -> None:
    cases = Path("cases")
    cases.mkdir()
    (cases / "own.toml").write_text(CASE.format(expected="quarantine by minimum-age"))
    assert answer("policy", "test", ".")["passed"] is True
    (cases / "own.toml").write_text(CASE.format(expected="allow"))
    document = answer("policy", "test", ".", exit_code=1)
    assert [(one["expected"], one["got"]) for one in document["results"]] == [("allow", "quarantine by minimum-age")]
    shown = run("policy", "test", ".")
    assert shown.exit_code == 1
    assert "FAILED a young file: baseline on litellm-1.0.tar.gz at 2026-03-24 12:00" in shown.stdout
    assert shown.stdout.endswith("1 decisions in 1 cases: 1 failed\n")


def test_the_shipped_policies_decide_as_their_cases_expect(answer: Answer) -> None:
    document = answer("policy", "test")
    assert document["passed"] is True
    assert len(document["results"]) > 20


def test_a_folder_without_cases_does_not_pass(run: Run) -> None:
    assert run("policy", "test", ".").exit_code == 2


def test_indexes_are_listed_with_what_they_are_made_of(run: Run, answer: Answer) -> None:
    Path("pinfold.toml").write_text(
        '[indexes.own]\npolicy = "strict"\nprivate = ["acme-*"]\nrefusals = "hide"\npins = "ours"\n'
    )
    main, own = answer("index", "list")["indexes"]
    assert (main["name"], main["path"], main["policy"]) == ("main", "/simple/", "baseline")
    assert (own["name"], own["path"], own["policy"]) == ("own", "/own/simple/", "strict")
    assert (own["upstreams"], own["private"], own["refusals"]) == (["pypi"], ["acme-*"], "hide")
    assert run("index", "list").stdout.splitlines()[2].startswith("own    /own/simple/  strict")
    assert (main["anonymous"], own["anonymous"]) == (True, True)
    assert (main["pins"], own["pins"]) == (None, "ours")
