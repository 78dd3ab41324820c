import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.adapters.sqlite.ledgers import (
    abandon,
    entry,
    intruding,
    journals,
    latest_note,
    log_entries,
    present_key,
    rewrite,
)
from tests.unit.cli.conftest import Run

ENTRIES = 300


@pytest.fixture
def data(folder: Path) -> Path:
    root = folder / "pinfold-data"
    log_entries(root, 100, ENTRIES - 100)
    return root


def test_a_whole_log_is_said_to_be_whole(run: Run, data: Path) -> None:
    result = run("audit", "verify")
    assert result.exit_code == 0
    assert result.stdout == f"whole: entries 1 to {ENTRIES}, proven by the signed checkpoint of size {ENTRIES}\n"
    assert "--checkpoint FILE" in result.stderr


def test_damage_is_named_and_the_answer_no(run: Run, answer: Callable[..., Any], data: Path) -> None:
    with intruding(data) as intruder:
        intruder.execute("DELETE FROM audit WHERE seq IN (7, 200)")
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "  missing: entry 7"
    document = answer("audit", "verify", exit_code=1)
    assert document["ok"] is False
    assert [problem["seq"] for problem in document["problems"]] == [7, 200]


def test_a_journal_that_is_passed_over_is_damage(run: Run, data: Path) -> None:
    abandon(data, entry(301))
    (journal,) = journals(data)
    with intruding(data) as intruder:
        intruder.execute(
            "INSERT INTO audit_journal VALUES (?, ?)", [journal.name, len(journal.read_bytes().rstrip(b"\0"))]
        )
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "what the ledger says of journals is not what was signed" in result.stdout


def test_a_log_that_cannot_be_read_is_no_answer(run: Run, folder: Path) -> None:
    assert run("audit", "verify").exit_code == 2
    assert run("audit", "verify", "--key", "nonsense").exit_code == 2


def test_an_export_verifies_elsewhere_with_the_public_key_alone(run: Run, data: Path, folder: Path) -> None:
    key = run("audit", "key").stdout.strip()
    assert key == str(present_key(data))
    exported = run("audit", "export").stdout_bytes
    elsewhere = folder / "elsewhere"
    (elsewhere / "none").mkdir(parents=True)
    file = elsewhere / "audit.jsonl"
    file.write_bytes(exported)
    result = run("audit", "verify", str(file), "--key", key, "--data", str(elsewhere / "none"))
    assert (result.exit_code, result.stdout[:5]) == (0, "whole")
    file.write_bytes(exported.replace(b'"1.17"', b'"1.18"'))
    result = run("audit", "verify", str(file), "--key", key, "--data", str(elsewhere / "none"))
    assert result.exit_code == 1
    assert "entry 17 is not what was logged" in result.stdout


def test_an_export_can_be_read_from_a_pipe(run: Run, data: Path) -> None:
    exported = run("audit", "export").stdout_bytes
    assert run("audit", "verify", "-", input=exported).exit_code == 0
    assert run("audit", "verify", "-", input=exported[:-20]).exit_code == 1


def test_an_export_goes_on_after_an_entry(run: Run, data: Path, folder: Path) -> None:
    lines = run("audit", "export", "--after", "290").stdout.splitlines()
    header = json.loads(lines[0])["header"]
    assert (header["first"], header["last"]) == (291, ENTRIES)
    assert [json.loads(line)["seq"] for line in lines if line.startswith('{"entry"')] == list(range(291, ENTRIES + 1))
    (folder / "rest.jsonl").write_text("".join(f"{line}\n" for line in lines))
    assert run("audit", "verify", "rest.jsonl").exit_code == 0


def test_an_export_begins_at_a_moment(run: Run, data: Path) -> None:
    header = json.loads(run("audit", "export", "--since", "2026-03-24T13:40:00Z").stdout.splitlines()[0])["header"]
    assert header["first"] == 100
    header = json.loads(run("audit", "export", "--since", "2100-01-01").stdout.splitlines()[0])["header"]
    assert (header["first"], header["last"]) == (ENTRIES + 1, ENTRIES)


def test_an_export_goes_to_a_new_file_that_only_its_owner_reads(run: Run, data: Path, folder: Path) -> None:
    assert run("audit", "export", "--output", "audit.jsonl").exit_code == 0
    assert (folder / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    again = run("audit", "export", "--output", "audit.jsonl")
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_a_spreadsheet_gets_one_row_an_entry_and_no_formula(run: Run, data: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("audit", "export", "--format", "csv", "--after", "298").stdout)))
    assert [(row["seq"], row["action"], row["version"]) for row in rows] == [
        ("299", "file.served", "1.299"),
        ("300", "file.served", "1.300"),
    ]


def test_a_rewritten_log_contradicts_the_checkpoint_that_was_kept(run: Run, data: Path, folder: Path) -> None:
    (folder / "kept").write_bytes(latest_note(data))
    assert run("audit", "verify", "--checkpoint", "kept").exit_code == 0
    rewrite(data, "UPDATE audit SET template = (SELECT template FROM audit WHERE seq = 6) WHERE seq = 5")
    assert run("audit", "verify").exit_code == 0
    result = run("audit", "verify", "--checkpoint", "kept")
    assert result.exit_code == 1
    assert "kept elsewhere" in result.stdout
    exported = run("audit", "export").stdout_bytes
    result = run("audit", "verify", "-", "--checkpoint", "kept", input=exported)
    assert result.exit_code == 1


def test_the_latest_checkpoint_is_printed(run: Run, answer: Callable[..., Any], data: Path) -> None:
    assert run("audit", "checkpoint").stdout.encode() == latest_note(data)
    assert answer("audit", "checkpoint") == {"checkpoint": latest_note(data).decode(), "size": ENTRIES}


def test_a_checkpoint_of_another_log_contradicts(run: Run, data: Path, folder: Path) -> None:
    log_entries(folder / "other", 5)
    (folder / "kept").write_bytes(latest_note(folder / "other"))
    result = run("audit", "verify", "--checkpoint", "kept")
    assert result.exit_code == 1
    assert "is not of this log" in result.stdout
    (folder / "kept").write_bytes(b"")
    assert run("audit", "verify", "--checkpoint", "kept").exit_code == 2


def test_a_log_is_verified_without_the_journals_that_may_not_be_read(run: Run, data: Path) -> None:
    (data / "journal").write_text("no folder")
    result = run("audit", "verify")
    assert (result.exit_code, result.stdout[:5]) == (0, "whole")
    assert result.stderr.count("What was recorded last is not signed yet, and left out") == 1
