from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.adapters.sqlite.ledgers import intruding, log_entries, present_key
from tests.unit.cli.conftest import Run

from pinfold.adapters.filesystem.data_directory import DataDirectory


@pytest.fixture
def data(folder: Path) -> Path:
    root = DataDirectory.open(folder / "pinfold-data").root
    log_entries(root, 300)
    return root


def test_a_new_key_signs_and_the_old_one_still_verifies(run: Run, answer: Callable[..., Any], data: Path) -> None:
    before = present_key(data)
    document = answer("audit", "rotate-key", "--reason", "a laptop was stolen")
    assert document == {"old": str(before), "key": str(present_key(data))}
    assert run("audit", "key").stdout.strip() == document["key"]
    for key in (document["old"], document["key"]):
        assert run("audit", "verify", "--key", key).exit_code == 0
        assert run("audit", "verify", "-", "--key", key, input=run("audit", "export").stdout_bytes).exit_code == 0
    (about,) = answer("audit", "search", "--action", "audit.key-changed")["entries"]
    assert about["entry"]["details"]["reason"] == "a laptop was stolen"


def test_both_keys_can_stand_in_a_file(run: Run, data: Path, folder: Path) -> None:
    first = present_key(data)
    assert run("audit", "rotate-key", "--reason", "yearly").exit_code == 0
    (folder / "keys.txt").write_text(f"{first}\n{present_key(data)}\n")
    assert run("audit", "verify", "--key", "keys.txt").exit_code == 0


def test_old_entries_go_to_an_archive_that_verifies(run: Run, answer: Callable[..., Any], data: Path) -> None:
    pruned = answer("audit", "prune", "--before", "2026-03-24T13:40:00Z", "--archive", "old.jsonl")["pruned"]
    assert (pruned["first"], pruned["last"]) == (1, 99)
    assert run("audit", "verify", "old.jsonl").stdout.startswith("whole: entries 1 to 99,")
    assert run("audit", "verify").stdout.startswith("whole: entries 100 to 301,")
    (about,) = answer("audit", "search", "--action", "audit.pruned")["entries"]
    assert about["entry"]["details"]["through"] == 99


def test_where_nothing_is_old_enough_nothing_is_written(run: Run, data: Path, folder: Path) -> None:
    result = run("audit", "prune", "--before", "2026-01-01", "--archive", "old.jsonl")
    assert (result.exit_code, result.stdout[:15]) == (0, "No entry is old")
    assert not (folder / "old.jsonl").exists()


def test_damaged_entries_are_not_pruned(run: Run, data: Path) -> None:
    with intruding(data) as intruder:
        intruder.execute("DELETE FROM audit WHERE seq = 5")
    result = run("audit", "prune", "--before", "2026-03-24T13:40:00Z", "--archive", "old.jsonl")
    assert result.exit_code == 1
    assert "nothing was pruned" in result.stdout
    assert "missing: entry 5" in result.stdout
