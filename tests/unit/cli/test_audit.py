"""`pinfold audit`."""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

from pinfold.bootstrap import open_installation
from pinfold.domain.audit_entry import SYSTEM, Action, Actor, Entry
from pinfold.settings import Settings

Answer = Callable[..., Any]
NOW = datetime.now(UTC)
HASH = "ab" * 32


def entry(number: int, **fields: Any) -> Entry:
    facts: dict[str, Any] = {
        "action": Action.FILE_SERVED,
        "actor": Actor("ci", address="192.0.2.7", installer="pip", installer_version="26.3"),
        "index": "main",
        "project": "litellm",
        "version": "1.82.6",
        "filename": "litellm-1.82.6.tar.gz",
        "decision": "allow",
    }
    return Entry(time=NOW - timedelta(days=10 - number), **{**facts, **fields})


ENTRIES = [
    entry(1),
    entry(
        2,
        action=Action.FILE_REFUSED,
        version="1.82.8",
        filename="litellm-1.82.8.tar.gz",
        sha256=HASH,
        decision="deny",
        rule="minimum-age",
        reference="D-7QK2MXA",
        verdicts=({"rule": "minimum-age", "reason": "uploaded 3 h ago"},),
    ),
    entry(3, index="own", project="requests", actor=Actor("alice", address="192.0.2.8")),
]


def write(data: Path, *entries: Entry) -> None:
    async def append() -> None:
        async with open_installation(Settings(data=data)) as installation:
            for one in entries:
                await installation.audit_log.append(one)

    asyncio.run(append())


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data directory with a log that is only read."""
    data = tmp_path_factory.mktemp("data")
    write(data, *ENTRIES)
    return f"--data={data}"


def numbers(document: Any) -> list[int]:
    return [one["seq"] for one in document["entries"]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [3, 2, 1]),
        (["--oldest-first"], [1, 2, 3]),
        (["--limit", "2"], [3, 2]),
        (["--after", "1", "--oldest-first"], [2, 3]),
        (["--before", "3"], [2, 1]),
        (["--action", "file.refused"], [2]),
        (["--actor", "alice"], [3]),
        (["--address", "192.0.2.7"], [2, 1]),
        (["--index", "own"], [3]),
        (["--project", "LiteLLM"], [2, 1]),
        (["--version", "1.82.08"], [2]),
        (["--filename", "litellm-1.82.8.tar.gz"], [2]),
        (["--sha256", f"sha256:{HASH.upper()}"], [2]),
        (["--sha256", HASH], [2]),
        (["--decision", "deny"], [2]),
        (["--rule", "minimum-age"], [2]),
        (["--reference", "D-7QK2MXA"], [2]),
        (["--since", "205h"], [3, 2]),
        (["--until", "205h"], [1]),
        (["--project", "litellm", "--decision", "allow"], [1]),
        (["--project", "absent"], []),
    ],
)
def test_every_filter(log: str, answer: Answer, options: list[str], expected: list[int]) -> None:
    assert numbers(answer("audit", "search", log, *options)) == expected


@pytest.mark.parametrize(
    "options",
    [
        ["--action", "x"],
        ["--project", "a/b"],
        ["--version", "x"],
        ["--sha256", "12"],
        ["--since", "x"],
        ["--limit", "0"],
    ],
)
def test_what_no_entry_can_have_is_wrong_usage(log: str, run: Run, options: list[str]) -> None:
    assert run("audit", "search", log, *options).exit_code == 2


def test_entries_are_told_in_full_as_json(log: str, answer: Answer) -> None:
    (one,) = answer("audit", "search", log, "--decision", "deny")["entries"]
    assert one["entry"]["actor"]["address"] == "192.0.2.7"
    assert one["entry"]["verdicts"] == [{"rule": "minimum-age", "reason": "uploaded 3 h ago"}]
    assert datetime.fromisoformat(one["entry"]["time"]) == ENTRIES[1].time


def test_entries_are_told_in_a_line_each(log: str, run: Run) -> None:
    lines = run("audit", "search", log, "--project", "litellm").stdout.splitlines()
    assert lines[0].split() == ["#", "TIME", "(UTC)", "ACTION", "WHO", "WHAT", "WHY"]
    assert lines[1].startswith("2  ")
    assert lines[1].endswith(
        "file.refused  ci, 192.0.2.7, pip 26.3  litellm-1.82.8.tar.gz  minimum-age: uploaded 3 h ago"
    )
    assert run("audit", "search", log, "--project", "absent").stdout == "Nothing in the audit log matches.\n"


def test_policies_and_feeds_are_told_by_what_they_are_and_were(run: Run, folder: Path) -> None:
    policy = Entry(
        Action.POLICY_CHANGED,
        NOW,
        SYSTEM,
        index="main",
        policy_digest="b" * 64,
        details={"policy": "strict", "before": "a" * 64},
    )
    feed = Entry(Action.FEED_CHANGED, NOW, SYSTEM, details={"feed": "osv", "snapshot": "c" * 64, "records": 7})
    write(folder / "pinfold-data", policy, feed)
    _, of_policy, of_feed = run("audit", "tail").stdout.splitlines()
    assert of_policy.endswith("policy.changed  pinfold  index main  strict bbbbbbbbbbbb, before aaaaaaaaaaaa")
    assert of_feed.endswith("feed.changed    pinfold  feed osv    7 records, cccccccccccc")


def test_tail_shows_the_newest_in_their_order(log: str, answer: Answer) -> None:
    assert numbers(answer("audit", "tail", log)) == [1, 2, 3]
    assert numbers(answer("audit", "tail", log, "--limit", "2")) == [2, 3]
    assert numbers(answer("audit", "tail", log, "--project", "litellm")) == [1, 2]


def test_tail_follows_what_other_processes_write_until_ctrl_c(run: Run, folder: Path) -> None:
    write(folder / "pinfold-data", *ENTRIES)
    command = [sys.executable, "-m", "pinfold", "audit", "tail", "--limit", "1", "--follow", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=os.environ) as process:
        try:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["seq"] == 3
            run("quarantine", "add", "litellm", "--reason", "odd")
            followed = json.loads(process.stdout.readline())
            assert (followed["seq"], followed["entry"]["action"]) == (4, "quarantine.add")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_user_agent_cannot_steer_the_terminal(run: Run, folder: Path) -> None:
    evil = entry(
        1, actor=Actor("x\x1b[2J", installer="\x1b]0;owned\x07"), filename="a\u202eb", details={"reason": "\x9b"}
    )
    write(folder / "pinfold-data", evil)
    for shown in (run("audit", "search").stdout, run("audit", "tail").stdout, run("audit", "search", "--json").stdout):
        assert len(shown.splitlines()) > 1
        assert shown.replace("\n", "").isprintable()


def test_exposure_tells_people_by_client_who_has_it(log: str, run: Run) -> None:
    result = run("audit", "exposure", log, "litellm")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "1 client got litellm, in 1 request."
    assert lines[2].split()[:2] == ["CLIENT", "ADDRESS"]
    assert lines[3].split()[:2] == ["ci", "192.0.2.7"]
    assert "1, 1 refused" in lines[3]
    # What it was refused is not among what it has.
    assert "litellm-1.82.6.tar.gz" in lines[3]
    assert "litellm-1.82.8.tar.gz" not in lines[3]


def test_exposure_tells_people_that_nobody_has_it(log: str, run: Run) -> None:
    lines = run("audit", "exposure", log, "litellm==1.82.8").stdout.splitlines()
    assert lines[0] == "Nobody was served litellm==1.82.8 by this installation."
    assert "1 client tried in vain, and got nothing:" in lines


def test_exposure_tells_machines_every_request(log: str, answer: Answer) -> None:
    document = answer("audit", "exposure", log, "litellm", "litellm==1.82.8")
    assert [(one["seq"], one["fate"], one["targets"]) for one in document["requests"]] == [
        (2, "refused", ["litellm", "litellm==1.82.8"]),
        (1, "served", ["litellm"]),
    ]
    assert [client["actor"] for client in document["exposed"]] == ["ci"]
    assert document["refused"] == []


def test_exposure_as_csv_is_a_line_a_request_that_no_spreadsheet_takes_for_a_formula(folder: Path, run: Run) -> None:
    actor = Actor("ci", address="192.0.2.7", user_agent='=HYPERLINK("https://files.example")')
    write(folder / "pinfold-data", entry(1, actor=actor, version="1.0\n"))
    rows = list(csv.DictReader(io.StringIO(run("audit", "exposure", "litellm", "--csv").stdout)))
    assert [(row["fate"], row["actor"], row["user_agent"][:2]) for row in rows] == [("served", "ci", "'=")]


def test_exposure_of_a_document(folder: Path, run: Run, answer: Answer) -> None:
    write(folder / "pinfold-data", *ENTRIES)
    (folder / "requirements.txt").write_text("litellm==1.82.6\nrequests\nabsent\n")
    document = answer("audit", "exposure", "--from", "requirements.txt")
    counts = {one["target"]: (one["named_by"], one["requests"]["served"]) for one in document["targets"]}
    assert counts == {"litellm==1.82.6": ("line 1", 1), "requests": ("line 2", 1), "absent": ("line 3", 0)}
    assert "the 3 targets" in run("audit", "exposure", "--from", "requirements.txt").stdout


@pytest.mark.parametrize("options", [[], ["litellm", "--csv", "--json"], ["--from", "absent.txt"], ["a/b"]])
def test_exposure_of_nothing_is_wrong_usage(log: str, run: Run, options: list[str]) -> None:
    assert run("audit", "exposure", log, *options).exit_code == 2
