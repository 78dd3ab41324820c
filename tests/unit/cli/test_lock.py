"""`pinfold lock`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.upstream import FakeUpstream, Fault
from tests.fakes.upstream.catalogue import FakeFile
from tests.unit.cli.conftest import Run

from pinfold.locks.read import read_lock

Answer = Callable[..., Any]


@pytest.fixture
def files(upstream: FakeUpstream) -> dict[str, FakeFile]:
    """Three releases of a project of which the last is young, and one of another."""
    young = datetime.now(UTC) - timedelta(hours=3, minutes=5)
    upstream.add_file("litellm", "1.82.7", sdist=True)
    return {
        "1.82.5": upstream.add_file("litellm", "1.82.5"),
        "1.82.7": upstream.add_file("litellm", "1.82.7"),
        "1.82.8": upstream.add_file("litellm", "1.82.8", upload_time=young),
        "six": upstream.add_file("six", "1.17.0"),
    }


def lock(*files: FakeFile) -> str:
    path = Path("requirements.txt")
    path.write_text("".join(f"{file.project}=={file.version} --hash=sha256:{file.sha256}\n" for file in files))
    return str(path)


def test_a_lock_that_would_be_served_is_one(files: dict[str, FakeFile], run: Run, answer: Answer) -> None:
    report = answer("lock", "check", lock(files["1.82.7"], files["six"]))
    assert (report["served"], report["index"]) == (True, "main")
    assert [one["version"] for one in report["releases"]] == ["1.82.7", "1.17.0"]
    assert "Index main would serve every file of 2 releases." in run("lock", "check", "requirements.txt").stdout


def test_what_is_refused_is_told_with_the_nearest_that_is_not(
    files: dict[str, FakeFile], run: Run, answer: Answer
) -> None:
    report = answer("lock", "check", lock(files["1.82.8"], files["six"]), exit_code=1)
    (release,) = (one for one in report["releases"] if not one["served"])
    assert (release["version"], release["nearest"]) == ("1.82.8", "1.82.7")
    (file,) = release["files"]
    assert (file["answer"], file["rule"]) == ("refused", "minimum-age")
    result = run("lock", "check", "requirements.txt")
    assert result.exit_code == 1
    assert "minimum-age: uploaded 3 h ago, needs 3 d  1.82.7" in result.stdout
    assert "Index main would not serve 1 of 2 releases whole." in result.stdout


def test_where_nothing_older_is_served_the_next_newer_one_is_nearest(
    files: dict[str, FakeFile], run: Run, answer: Answer
) -> None:
    run("quarantine", "add", "litellm<1.82.7", "--reason", "test")
    report = answer("lock", "check", lock(files["1.82.5"]), exit_code=1)
    assert report["releases"][0]["nearest"] == "1.82.7"


def test_what_is_not_there_is_missing(upstream: FakeUpstream, files: dict[str, FakeFile], answer: Answer) -> None:
    lock(files["six"])
    gone = files["1.82.5"]
    text = f"litellm==1.82.7 --hash=sha256:{'0' * 64}\nnothere==1 --hash=sha256:{'0' * 64}\n"
    Path("requirements.txt").write_text(f"{text}litellm==1.82.5 --hash=sha256:{gone.sha256}\n")
    Path("pinfold.toml").write_text('[upstreams.pypi]\nfreshness = "0s"\n')
    answer("explain", "litellm")
    upstream.remove_file(gone)
    report = answer("lock", "check", "requirements.txt", exit_code=1)
    told = {f"{one['project']}=={one['version']}": one["files"][0]["why"] for one in report["releases"]}
    assert told == {
        "litellm==1.82.5": "the upstream took it away, and it is not kept here",
        "litellm==1.82.7": "litellm has no such file",
        "nothere==1": "no upstream of index main has a project nothere",
    }
    assert {file["answer"] for one in report["releases"] for file in one["files"]} == {"missing"}


def test_an_upstream_that_fails_is_no_yes(upstream: FakeUpstream, files: dict[str, FakeFile], answer: Answer) -> None:
    upstream.befall(upstream.page_path("six"), Fault(status=500))
    report = answer("lock", "check", lock(files["1.82.7"], files["six"]), exit_code=1)
    assert [one["files"][0]["answer"] for one in report["releases"]] == ["served", "unknown"]


def test_a_lock_is_checked_against_the_index_that_is_named(
    files: dict[str, FakeFile], answer: Answer, run: Run
) -> None:
    Path("pinfold.toml").write_text('[indexes.prod]\npins = "approved"\n')
    run("pin", "import", "approved", lock(files["1.82.5"]))
    report = answer("lock", "check", "--index", "prod", lock(files["1.82.7"]), exit_code=1)
    assert (report["releases"][0]["files"][0]["rule"], report["releases"][0]["nearest"]) == ("pinned", "1.82.5")
    assert run("lock", "check", "--index", "other", "requirements.txt").exit_code == 2


def test_a_lock_that_is_wrong_is_no_answer(run: Run) -> None:
    Path("requirements.txt").write_text("six==1.17.0\n")
    result = run("lock", "check", "requirements.txt")
    assert result.exit_code == 2
    assert "has no hash" in result.stderr


@pytest.mark.parametrize("kind", ["pylock", "requirements"])
def test_a_set_is_exported_as_a_lock_that_pins_the_same(
    kind: str, files: dict[str, FakeFile], run: Run, answer: Answer
) -> None:
    Path("pinfold.toml").write_text(
        '[server]\nbase_url = "https://packages.example"\n[indexes.prod]\npins = "approved"\n'
    )
    run("pin", "import", "approved", lock(files["1.82.7"], files["six"]))
    name = {"pylock": "pylock.toml", "requirements": "out.txt"}[kind]
    exported = run("lock", "export", "--index", "prod", "--format", kind, "--output", name)
    assert exported.exit_code == 0, exported.output
    pins = read_lock(Path(name).read_text(), name).pins
    assert {(pin.project, pin.version, pin.sha256) for pin in pins} == {
        (file.project, file.version, file.sha256) for file in (files["1.82.7"], files["six"])
    }
    if kind == "pylock":
        six = files["six"]
        assert f'"https://packages.example/prod/files/six/{six.sha256}/{six.filename}"' in Path(name).read_text()
        assert {pin.filename for pin in pins} == {files["1.82.7"].filename, six.filename}
    assert run("lock", "export", "approved", "--format", kind).stdout.strip() == Path(name).read_text().strip()
    assert answer("pin", "import", "again", name)["version"]["files"] == 2


def test_what_no_lock_can_hold_is_told(upstream: FakeUpstream, run: Run) -> None:
    Path("requirements.txt").write_text(f"nothere==1 --hash=sha256:{'0' * 64}\n")
    run("pin", "import", "approved", "requirements.txt")
    result = run("lock", "export", "approved")
    assert result.exit_code == 1
    assert "left out nothere==1: a lock holds wheels and sdists by their file names" in result.stderr


@pytest.mark.parametrize("words", [(), ("a", "--index", "b"), ("nosuch",), ("--index", "main"), ("--index", "other")])
def test_only_a_pin_set_is_exported(words: tuple[str, ...], run: Run) -> None:
    assert run("lock", "export", *words).exit_code == 2
