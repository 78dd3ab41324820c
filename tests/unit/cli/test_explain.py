"""`pinfold explain`: the gate's own decisions, laid open."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.osv import a_record
from tests.fakes.upstream import FakeFile, FakeUpstream, Fault
from tests.unit.cli.conftest import Run

Answer = Callable[..., Any]
NOW = datetime.now(UTC)
OBSERVING = """
[[rule]]
id = "minimum-age"
params = { days = 3 }
mode = "observe"
[[rule]]
id = "file-type"
params = { allow = ["wheel"] }
on_fail = "warn"
"""


@pytest.fixture
def litellm(upstream: FakeUpstream, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeFile]:
    """Twenty old releases, and two that are hours old; by file name. The advisory feed says nothing of them."""
    mirror = folder / "advisories"
    mirror.mkdir()
    (mirror / "MAL-2026-2144.json").write_text(json.dumps(a_record(project="other")))
    monkeypatch.setenv("PINFOLD_FEEDS__OSV__SOURCE", str(mirror))
    assert run("feed", "sync").exit_code == 0
    files = [upstream.add_file("litellm", f"1.60.{number}") for number in range(20)]
    files.append(upstream.add_file("litellm", "1.82.7", upload_time=NOW - timedelta(days=30), sdist=True))
    files.append(upstream.add_file("litellm", "1.82.7", upload_time=NOW - timedelta(hours=5)))
    files.append(upstream.add_file("litellm", "1.82.8", upload_time=NOW - timedelta(hours=3, minutes=5)))
    return {file.filename: file for file in files}


def test_a_project_is_told_by_release_newest_first(litellm: dict[str, FakeFile], run: Run) -> None:
    result = run("explain", "LiteLLM")
    lines = [line.split(maxsplit=3) for line in result.stdout.splitlines()]
    assert result.stdout.startswith("litellm in index main, by policy baseline (")
    (row,) = [line for line in lines if line[:1] == ["1.82.8"]]
    assert row[1:3] == ["1", "quarantined"]
    assert row[3].startswith("minimum-age: uploaded 3 h ago, needs 3 d")
    assert ["1.60.19", "1", "allowed"] in lines
    assert "1.82.7   1 of 2  quarantined  minimum-age: uploaded 5 h ago, needs 3 d" in result.stdout
    assert "1.60.2 " not in result.stdout
    assert "and 7 older releases, all allowed; --all shows them" in result.stdout
    assert "is offered 1.82.7." in result.stdout
    assert "More: pinfold explain litellm==1.82.8" in result.stdout
    assert "1.60.2 " in run("explain", "litellm", "--all").stdout


@pytest.mark.parametrize(
    ("target", "exit_code"),
    [
        ("litellm", 0),
        ("litellm>=1.60", 0),
        ("litellm==1.82.8", 1),
        ("litellm>1.82.7", 1),
        ("litellm==1.82.7", 0),
        ("litellm-1.82.7.tar.gz", 0),
        ("litellm-1.82.7-py3-none-any.whl", 1),
    ],
)
def test_the_exit_code_is_1_where_everything_meant_is_refused(
    litellm: dict[str, FakeFile], run: Run, answer: Answer, target: str, exit_code: int
) -> None:
    assert run("explain", target).exit_code == exit_code
    assert answer("explain", target, exit_code=exit_code)["refused"] is (exit_code == 1)


@pytest.mark.parametrize("target", ["absent", "litellm==9.9", "litellm-9.9.tar.gz", f"sha256:{'0' * 64}"])
def test_what_does_not_exist_is_neither_allowed_nor_refused(
    litellm: dict[str, FakeFile], run: Run, target: str
) -> None:
    assert run("explain", target).exit_code == 2


def test_one_file_is_told_with_rules_evidence_and_what_would_change_it(litellm: dict[str, FakeFile], run: Run) -> None:
    file = litellm["litellm-1.82.8-py3-none-any.whl"]
    result = run("explain", file.filename)
    shown = " ".join(result.stdout.split())
    for part in (
        f"{file.filename} quarantined pinfold: quarantined by minimum-age: uploaded 3 h ago, needs 3 d; ",
        "; last good 1.82.7; ref D-",
        "minimum-age fail quarantined uploaded 3 h ago, needs 3 d",
        "quarantined pass -",
        f"sha256 {file.sha256}",
        "upload time 20",
        "sighting first seen 20",
        "upstream status status marker active",
        "records none",
        "minimum-age: wait until 20",
        "2 d from now, or pinfold waiver add litellm==1.82.8 --rule minimum-age --reason TEXT --expires 14d",
        "reference D-",
    ):
        assert part in shown


def test_files_that_are_judged_alike_are_told_together(upstream: FakeUpstream, run: Run) -> None:
    for tag in ("py3-none-any", *(f"cp31{minor}-cp31{minor}-linux_x86_64" for minor in range(8))):
        upstream.add_file("numpy", "2.0", tag=tag)
    shown = run("explain", "numpy==2.0").stdout
    assert shown.count("RULE") == 1
    assert "and 3 more files, judged alike" in shown


def test_quarantine_records_are_told_with_the_way_out(litellm: dict[str, FakeFile], run: Run, answer: Answer) -> None:
    record = answer("quarantine", "add", "litellm==1.60.1", "--reason", "odd")["id"]
    shown = run("explain", "litellm==1.60.1").stdout
    assert f"quarantined: pinfold quarantine release {record} --reason TEXT" in shown
    assert f"id {record}, target litellm==1.60.1, reason odd" in shown
    assert f"quarantined: odd, record {record}" in run("explain", "litellm").stdout
    run("quarantine", "reject", record, "--reason", "bad")
    rejected = run("explain", "litellm==1.60.1").stdout
    assert "quarantine release" not in rejected
    assert "quarantined: pinfold waiver add litellm==1.60.1 --rule quarantined" in rejected


def test_what_is_waived_observed_or_warned_of_is_marked(litellm: dict[str, FakeFile], run: Run, answer: Answer) -> None:
    waiver = answer(
        "waiver", "add", "litellm==1.82.8", "--rule", "minimum-age", "--reason", "a fix", "--expires", "1d"
    )["id"]
    waived = run("explain", "litellm==1.82.8")
    assert waived.exit_code == 0
    assert f"waived by {waiver}" in waived.stdout
    assert "the answer may be another from 20" in waived.stdout
    assert f"minimum-age waived by {waiver}" in run("explain", "litellm").stdout
    Path("own.toml").write_text(OBSERVING)
    Path("pinfold.toml").write_text('[indexes.own]\npolicy = "own.toml"\n')
    shown = run("explain", "litellm>=1.82", "--index", "own").stdout
    assert "minimum-age observed: would quarantine" in shown
    assert "1.82.7   2      warned" in shown


def test_yanked_and_vanished_files_and_rejected_entries_are_told(
    litellm: dict[str, FakeFile], upstream: FakeUpstream, run: Run
) -> None:
    upstream.yank(litellm["litellm-1.60.19-py3-none-any.whl"], "broken\x1b[2J")
    upstream.add_file("litellm", "1.0", filename="litellm-1.0-bad.whl", content=b"")
    Path("pinfold.toml").write_text('[upstreams.pypi]\nfreshness = "0s"\n')
    shown = run("explain", "litellm").stdout
    assert "; yanked: broken" in shown or "  yanked: broken" in shown
    assert "\x1b" not in shown
    assert "Never served, whatever the policy:" in shown
    assert "litellm-1.0-bad.whl" in shown
    assert "litellm-1.0-bad.whl" not in run("explain", "litellm==1.82.8").stdout
    upstream.remove_file(litellm["litellm-1.82.8-py3-none-any.whl"])
    assert "taken away by the upstream" in run("explain", "litellm").stdout


def test_a_stale_page_is_said_to_be_stale(litellm: dict[str, FakeFile], upstream: FakeUpstream, run: Run) -> None:
    Path("pinfold.toml").write_text('[upstreams.pypi]\nfreshness = "0s"\n')
    assert "out of date" not in run("explain", "litellm").stdout
    upstream.befall(upstream.page_path("litellm"), Fault(status=403))
    assert "the upstream fails now: this may be out of date" in run("explain", "litellm").stdout


def test_a_failing_upstream_is_an_error_and_no_answer(upstream: FakeUpstream, run: Run) -> None:
    upstream.befall(upstream.page_path("litellm"), Fault(status=403))
    result = run("explain", "litellm")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_private_name_is_asked_of_nobody_else(upstream: FakeUpstream, run: Run) -> None:
    upstream.add_file("acme-billing", "9.9")
    result = run("explain", "acme-billing", env={"PINFOLD_INDEXES__MAIN__PRIVATE": "acme-*"})
    assert result.exit_code == 2
    assert "no private upstream of index main has acme-billing" in result.stderr
    assert upstream.requests == []


def test_an_index_that_does_not_exist(run: Run) -> None:
    result = run("explain", "litellm", "--index", "absent")
    assert (result.exit_code, result.stderr) == (2, "Error: there is no index absent; known: main\n")


def test_the_document_repeats_the_decision(litellm: dict[str, FakeFile], answer: Answer) -> None:
    document = answer("explain", "litellm==1.82.8", exit_code=1)
    assert (document["target"], document["index"], document["project"]) == ("litellm==1.82.8", "main", "litellm")
    assert document["upstream"]["name"] == "pypi"
    assert document["upstream"]["stale"] is False
    (release,) = document["releases"]
    assert (release["version"], release["effect"], release["refused_files"]) == ("1.82.8", "quarantine", 1)
    (file,) = release["files"]
    assert file["line"].startswith("pinfold: quarantined by minimum-age: ")
    assert file["reference"] in file["line"]
    assert file["policy_digest"] == document["policy"]["digest"]
    assert file["evidence"]["file"]["sha256"] == file["sha256"]
    verdict = next(one for one in file["verdicts"] if one["rule"] == "minimum-age")
    assert (verdict["outcome"], verdict["effect"], verdict["mode"]) == ("fail", "quarantine", "enforce")
    assert datetime.fromisoformat(verdict["changes_at"]) == datetime.fromisoformat(
        file["evidence"]["file"]["upload_time"]
    ) + timedelta(days=3)


def test_a_file_is_found_whatever_project_its_name_suggests_first(upstream: FakeUpstream, answer: Answer) -> None:
    upstream.add_file("foo", "1.0", filename="foo-1.0-1.tar.gz", content=b"x")
    assert answer("explain", "foo-1.0-1.tar.gz")["project"] == "foo"


def test_a_project_of_rejected_entries_only_is_refused(upstream: FakeUpstream, run: Run) -> None:
    upstream.add_file("litellm", "1.0", filename="litellm-1.0-bad.whl", content=b"")
    result = run("explain", "litellm")
    assert result.exit_code == 1
    assert "litellm-1.0-bad.whl" in result.stdout


def test_a_feed_that_is_not_there_is_told_once_and_not_of_each_release(
    upstream: FakeUpstream, folder: Path, run: Run, answer: Answer
) -> None:
    for number in range(5):
        upstream.add_file("widget", f"1.{number}")
    upstream.add_file("widget", "1.9", upload_time=NOW - timedelta(hours=3))
    overview = run("explain", "widget").stdout
    assert overview.count("no advisory feed has been loaded") == 1
    assert "pinfold feed status" in overview
    assert "warn" not in overview
    assert "1.4      1      allowed\n" in overview
    assert "1.9      1      quarantined  minimum-age: uploaded 3 h ago, needs 3 d\n" in overview
    single = run("explain", "widget==1.4").stdout
    assert "known-malware         unknown  warned  no advisory feed has been loaded" in single
    assert "widget-1.4-py3-none-any.whl  allowed" in single
    (file,) = answer("explain", "widget==1.4")["releases"][0]["files"]
    assert (file["effect"], file["evidence"]["advisories"]) == ("warn", {"unknown": "no advisory feed has been loaded"})


def test_a_policy_that_holds_files_for_want_of_a_feed_says_so_of_each(
    upstream: FakeUpstream, folder: Path, run: Run
) -> None:
    upstream.add_file("widget", "1.0")
    Path("held.toml").write_text('[[rule]]\nid = "known-malware"\non_unknown = "quarantine"\n')
    Path("pinfold.toml").write_text('[indexes.main]\npolicy = "held.toml"\n')
    overview = run("explain", "widget").stdout
    assert "1.0      1      quarantined  known-malware: no advisory feed has been loaded" in overview
