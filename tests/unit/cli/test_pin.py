"""`pinfold pin`."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

ME = pwd.getpwuid(os.geteuid()).pw_name
Answer = Callable[..., Any]


def requirements(**versions: str) -> str:
    """Return a requirements file that pins one file of each release, with a hash that tells which."""
    return "".join(
        f"{name}=={version} --hash=sha256:{(name + version).encode().hex():0<64.64}\n"
        for name, version in versions.items()
    )


@pytest.fixture
def lock(folder: Path) -> Callable[..., str]:
    def write(name: str = "requirements.txt", **versions: str) -> str:
        (folder / name).write_text(requirements(**versions))
        return name

    return write


def test_a_set_from_its_beginning_to_its_end(run: Run, answer: Answer, lock: Callable[..., str]) -> None:
    first = answer("pin", "import", "prod", lock(requests="2.31.0", six="1.16.0"))
    assert (first["changed"], first["before"], first["version"]["number"]) == (True, None, 1)
    assert (first["version"]["created_by"], first["version"]["sources"]) == (ME, ["requirements.txt"])
    second = answer("pin", "import", "prod", lock(requests="2.32.3", idna="3.7"))
    assert second["changes"] == [
        {"project": "idna", "before": [], "after": ["3.7"], "files_added": 1, "files_removed": 0},
        {"project": "requests", "before": ["2.31.0"], "after": ["2.32.3"], "files_added": 1, "files_removed": 1},
        {"project": "six", "before": ["1.16.0"], "after": [], "files_added": 0, "files_removed": 1},
    ]
    assert answer("pin", "diff", "prod")["changes"] == second["changes"]
    assert answer("pin", "diff", "prod", "1", "2")["changes"] == second["changes"]
    assert [one["project"] for one in answer("pin", "show", "prod")["pins"]] == ["idna", "requests"]
    assert [one["project"] for one in answer("pin", "show", "prod", "--version", "1")["pins"]] == ["requests", "six"]
    back = answer("pin", "rollback", "prod", "1")
    assert (back["version"]["number"], back["version"]["act"]) == (3, "rollback")
    assert [one["project"] for one in answer("pin", "show", "prod")["pins"]] == ["requests", "six"]
    assert [one["act"] for one in answer("pin", "list", "prod")["versions"]] == ["import", "import", "rollback"]
    assert answer("pin", "remove", "prod")["act"] == "remove"
    assert answer("pin", "list") == {"pin_sets": []}
    entries = answer("audit", "search", "--oldest-first")["entries"]
    assert [(one["entry"]["action"], one["entry"]["reference"]) for one in entries] == [
        ("pin.import", "prod@1"),
        ("pin.import", "prod@2"),
        ("pin.rollback", "prod@3"),
        ("pin.remove", "prod@4"),
    ]
    assert entries[1]["entry"]["details"]["changes"] == second["changes"]


def test_tables_show_what_changes(run: Run, lock: Callable[..., str]) -> None:
    told = run("pin", "import", "prod", lock(requests="2.31.0")).stdout
    assert "requests  -       2.31.0  +1" in told
    assert "Pin set prod is version 1: 1 files of 1 projects." in told
    assert "nothing changes" in run("pin", "import", "prod", "requirements.txt").stdout
    assert "requirements.txt" in run("pin", "list").stdout
    assert "requests  2.31.0   1" in run("pin", "show", "prod").stdout
    assert run("pin", "diff", "prod", "1", "1").stdout == "No difference.\n"


def test_several_locks_are_pinned_together_and_merging_keeps_what_was_pinned(
    answer: Answer, lock: Callable[..., str]
) -> None:
    files = [lock("a.txt", requests="2.31.0"), lock("b.txt", six="1.16.0")]
    assert answer("pin", "import", "prod", *files)["version"]["files"] == 2
    merged = answer("pin", "import", "prod", "--merge", lock("c.txt", requests="2.32.3"))
    assert merged["changes"] == [
        {
            "project": "requests",
            "before": ["2.31.0"],
            "after": ["2.32.3", "2.31.0"],
            "files_added": 1,
            "files_removed": 0,
        }
    ]
    assert answer("pin", "import", "prod", "c.txt")["version"]["files"] == 1


def test_a_trial_changes_nothing(run: Run, answer: Answer, lock: Callable[..., str]) -> None:
    told = run("pin", "import", "prod", "--dry-run", lock(requests="2.31.0"))
    assert "would be version 1" in told.stdout
    assert answer("pin", "list") == {"pin_sets": []}
    assert answer("audit", "search")["entries"] == []


def test_a_set_in_use_is_not_removed(run: Run, lock: Callable[..., str]) -> None:
    Path("pinfold.toml").write_text('[indexes.prod]\npins = "approved"\n')
    run("pin", "import", "approved", lock(requests="2.31.0"))
    refused = run("pin", "remove", "approved")
    assert refused.exit_code == 2
    assert "in use: without it prod would serve nothing" in refused.stderr
    assert "approved" in run("pin", "list").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("import", "Prod", "requirements.txt"), "names no pin set"),
        (("import", "prod", "bad.txt", "worse.txt"), "bad.txt: line 1: requests has no hash"),
        (("import", "prod", "bad.txt", "worse.txt"), "worse.txt: line 2: six has no exact version"),
        (("import", "prod", "binary.lock"), "binary.lock: is not UTF-8 text"),
        (("import", "prod", "missing.txt"), "does not exist"),
        (("import", "prod"), "FILE"),
        (("show", "prod"), "there is no pin set prod"),
        (("show", "prod", "--version", "7"), "there is no pin set prod with a version 7"),
        (("diff", "prod"), "there is no pin set prod"),
        (("rollback", "prod", "1"), "no version 1 to go back to"),
        (("remove", "prod"), "there is no pin set prod"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(
    words: tuple[str, ...], told: str, run: Run, answer: Answer, lock: Callable[..., str]
) -> None:
    lock(requests="2.31.0")
    Path("bad.txt").write_text("requests==2.31.0\n")
    Path("worse.txt").write_text("# six\nsix>=1 --hash=sha256:0\n")
    Path("binary.lock").write_bytes(b"\xff\xfe")
    result = run("pin", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert answer("pin", "list") == {"pin_sets": []}


def test_what_comes_from_no_index_is_left_out_and_said_so(answer: Answer, run: Run, lock: Callable[..., str]) -> None:
    path = Path(lock(requests="2.31.0"))
    path.write_text(path.read_text() + "ours @ git+https://user:token@code.example/ours\n")
    result = run("pin", "import", "prod", str(path), "--json")
    assert json.loads(result.stdout)["left_out"] == [
        "requirements.txt: left out ours @ git+https://code.example/ours: it comes from no index"
    ]
    assert "token" not in result.output
