"""`pinfold quarantine` and `pinfold waiver`."""

import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

ME = pwd.getpwuid(os.geteuid()).pw_name
Answer = Callable[..., Any]


def test_a_quarantine_from_its_beginning_to_its_end(run: Run, answer: Answer) -> None:
    added = answer("quarantine", "add", "LiteLLM == 1.82.8", "--reason", "steals keys", "--ref", "MAL-2026-1")
    assert (added["target"], added["state"], added["created_by"]) == ("litellm==1.82.8", "held", ME)
    listed = run("quarantine", "list").stdout
    assert listed.splitlines()[0].split() == ["ID", "STATE", "TARGET", "SINCE", "BY", "REASON"]
    assert listed.splitlines()[1].startswith(f"{added['id']}  held   litellm==1.82.8")
    assert listed.endswith("steals keys (MAL-2026-1)\n")
    released = answer("quarantine", "release", added["id"], "--reason", "false alarm")
    assert (released["state"], released["closed_by"], released["closing_reason"]) == ("released", ME, "false alarm")
    assert answer("quarantine", "list") == {"records": []}
    assert run("quarantine", "list").stdout == "Nothing is quarantined.\n"
    assert answer("quarantine", "list", "--all") == {"records": [released]}
    entries = answer("audit", "search", "--reference", added["id"], "--oldest-first")["entries"]
    assert [(one["entry"]["action"], one["entry"]["actor"]["name"]) for one in entries] == [
        ("quarantine.add", ME),
        ("quarantine.release", ME),
    ]


def test_a_rejected_record_stays_listed(run: Run, answer: Answer) -> None:
    record = answer("quarantine", "add", "litellm", "--reason", "odd")
    assert (
        run("quarantine", "reject", record["id"], "--reason", "bad").stdout == f"{record['id']}: litellm is rejected.\n"
    )
    assert [one["state"] for one in answer("quarantine", "list")["records"]] == ["rejected"]
    result = run("quarantine", "release", record["id"], "--reason", "fine")
    assert result.exit_code == 2
    assert "waive the rule quarantined" in result.stderr


def test_a_release_tells_what_else_holds_the_same(run: Run, answer: Answer) -> None:
    first, second = (answer("quarantine", "add", "litellm", "--reason", reason)["id"] for reason in ("one", "two"))
    assert f"It stays held by {second}: two" in run("quarantine", "release", first, "--reason", "fine").stdout


@pytest.mark.parametrize("command", [["add", "litellm"], ["release", "Q-A"], ["reject", "Q-A"]])
def test_every_act_of_quarantine_needs_a_reason(run: Run, command: list[str]) -> None:
    assert "Missing option '--reason'" in run("quarantine", *command).stderr
    result = run("quarantine", *command, "--reason", " ")
    assert (result.exit_code, "a reason is needed" in result.stderr) == (2, True)


def test_a_waiver_from_its_beginning_to_its_end(run: Run, answer: Answer) -> None:
    before = datetime.now(UTC)
    waiver = answer(
        "waiver", "add", "litellm==1.82.9", "--rule", "minimum-age", "--reason", "a fix", "--expires", "14d"
    )
    assert (waiver["target"], waiver["rule"], waiver["created_by"]) == ("litellm==1.82.9", "minimum-age", ME)
    assert datetime.fromisoformat(waiver["expires_at"]) - before > timedelta(days=13)
    assert answer("waiver", "list") == {"waivers": [{**waiver, "state": "in force"}]}
    assert "in force  minimum-age  litellm==1.82.9" in run("waiver", "list").stdout
    assert run("waiver", "revoke", waiver["id"]).stdout == (
        f"{waiver['id']}: minimum-age holds for litellm==1.82.9 again.\n"
    )
    assert answer("waiver", "list") == {"waivers": []}
    assert run("waiver", "list").stdout == "No rule is waived.\n"
    assert [one["state"] for one in answer("waiver", "list", "--all")["waivers"]] == ["revoked"]
    result = run("waiver", "revoke", waiver["id"])
    assert (result.exit_code, "already" in result.stderr) == (2, True)


def test_a_waiver_ends_in_the_future_and_is_of_a_rule_that_exists(run: Run, answer: Answer) -> None:
    past = run("waiver", "add", "litellm", "--rule", "minimum-age", "--reason", "x", "--expires", "2020-01-01")
    assert (past.exit_code, "cannot end in the past" in past.stderr) == (2, True)
    unknown = run("waiver", "add", "litellm", "--rule", "min-age", "--reason", "x", "--expires", "14d")
    assert (unknown.exit_code, "did you mean minimum-age?" in unknown.stderr) == (2, True)
    assert answer("waiver", "list", "--all") == {"waivers": []}
    assert answer("audit", "search") == {"entries": []}
