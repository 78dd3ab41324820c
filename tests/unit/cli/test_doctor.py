"""`pinfold doctor`."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.oidc import running_issuer
from tests.fakes.upstream import FakeUpstream, Fault
from tests.unit.cli.conftest import Run

from pinfold.adapters.sigstore.trust_root import read_trust_root
from pinfold.cli import running_checks

Answer = Callable[..., Any]


@pytest.fixture
def index(upstream: FakeUpstream) -> FakeUpstream:
    """An index that has the project that is asked for."""
    upstream.add_file(running_checks.PROBE, "26.3")
    return upstream


def states(document: Any) -> dict[str, str]:
    return {check["subject"]: check["state"] for check in document["checks"]}


def test_all_is_well(index: FakeUpstream, run: Run, answer: Answer) -> None:
    answer("quarantine", "list")  # makes the databases
    document = answer("doctor")
    assert document["healthy"] is True
    assert set(states(document)) == {
        "configuration",
        "policy of main",
        "access",
        "data directory",
        "disk",
        "ledger.db",
        "catalog.db",
        "feeds.db",
        "feeds",
        "trust root",
        "upstream pypi",
        "audit log",
        "clock",
    }
    assert set(states(document).values()) <= {"ok", "warn"}
    lines = run("doctor").stdout.splitlines()
    assert lines[0].startswith("ok    configuration   no document, so the defaults, PINFOLD_")
    assert lines[0].endswith(", PINFOLD_UPSTREAMS__PYPI__URL")
    assert any(line.startswith("ok    upstream pypi   http://127.0.0.1:") and line.endswith(" ms") for line in lines)


def test_who_may_read_without_a_token_is_told(
    index: FakeUpstream, run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer("quarantine", "list")
    assert states(answer("doctor"))["access"] == "ok"
    monkeypatch.setenv("PINFOLD_SERVER__BASE_URL", "https://packages.example")
    assert states(answer("doctor"))["access"] == "warn"
    assert "index main needs a token" in run("doctor").stdout
    monkeypatch.setenv("PINFOLD_INDEXES__MAIN__ANONYMOUS", "false")
    assert "access" not in states(answer("doctor"))
    monkeypatch.setenv("PINFOLD_INDEXES__MAIN__ANONYMOUS", "true")
    assert "whoever reaches this server can read index main" in run("doctor").stdout


def test_those_who_vouch_for_publishers_are_asked_for_their_keys(index: FakeUpstream, answer: Answer) -> None:
    answer("quarantine", "list")
    with running_issuer() as issuer:
        Path("pinfold.toml").write_text(
            '[trusted_publishing]\naudience = "packages.example"\n[[trusted_publishing.publishers]]\nkind = "GitHub"\n'
            f'repository = "acme/widget"\nworkflow = "p.yml"\nprojects = ["acme"]\nissuer = "{issuer.url}"\n'
        )
        assert states(answer("doctor"))["trusted publishing"] == "ok"
    assert states(answer("doctor", exit_code=1))["trusted publishing"] == "fail"


def test_the_public_key_of_the_audit_log_is_told_and_that_nothing_keeps_its_checkpoints(
    index: FakeUpstream, run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer("quarantine", "list")
    key = run("audit", "key").stdout.strip()
    (check,) = (each for each in answer("doctor")["checks"] if each["subject"] == "audit log")
    assert (check["state"], check["found"]) == (
        "warn",
        f"0 entries, signed by {key}; no checkpoint of it is kept elsewhere",
    )
    monkeypatch.setenv("PINFOLD_AUDIT__CHECKPOINT_FILE", "kept")
    assert states(answer("doctor"))["audit log"] == "ok"


def test_an_index_whose_pin_set_is_missing_serves_nothing(index: FakeUpstream, run: Run, answer: Answer) -> None:
    Path("pinfold.toml").write_text('[indexes.prod]\npins = "approved"\n')
    answer("quarantine", "list")
    (check,) = (one for one in answer("doctor", exit_code=1)["checks"] if one["subject"] == "pins of prod")
    assert (check["state"], check["advice"]) == ("fail", "pinfold pin import approved LOCKFILE makes it")
    Path("requirements.txt").write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    run("pin", "import", "approved", "requirements.txt")
    (check,) = (one for one in answer("doctor")["checks"] if one["subject"] == "pins of prod")
    assert check["found"].startswith("approved, version 1 of ")
    assert check["found"].endswith(" UTC, 1 files")


def test_every_problem_of_the_configuration_is_told(run: Run) -> None:
    Path("pinfold.toml").write_text('dat = "x"\n[server]\nport = -1\n')
    result = run("doctor")
    assert result.exit_code == 1
    assert result.stdout.count("fail  configuration  pinfold.toml: ") == 2


def test_secrets_in_variables_are_not_shown(index: FakeUpstream, run: Run) -> None:
    environ = {"PINFOLD_UPSTREAMS__PYPI__USERNAME": "me", "PINFOLD_UPSTREAMS__PYPI__PASSWORD": "hunter2-hunter2"}
    result = run("doctor", env=environ)
    assert "PINFOLD_UPSTREAMS__PYPI__PASSWORD" in result.stdout
    assert "hunter2" not in result.output


def test_a_policy_that_cannot_be_loaded(index: FakeUpstream, answer: Answer) -> None:
    Path("own.toml").write_text("[[rule]]\nid = 'min-age'\n")
    Path("pinfold.toml").write_text('[indexes.own]\npolicy = "own.toml"\n')
    document = answer("doctor", exit_code=1)
    assert (states(document)["policy of own"], states(document)["policy of main"]) == ("fail", "ok")
    assert states(document)["upstreams"] == "warn"


def test_a_data_directory_that_is_something_else(folder: Path, answer: Answer) -> None:
    (folder / "pinfold-data" / "thesis.doc").touch()
    assert states(answer("doctor", exit_code=1))["data directory"] == "fail"


def test_no_data_directory_is_made(index: FakeUpstream, folder: Path, answer: Answer) -> None:
    (folder / "pinfold-data").rmdir()
    assert states(answer("doctor"))["data directory"] == "warn"
    assert not (folder / "pinfold-data").exists()


def test_a_damaged_database(index: FakeUpstream, folder: Path, answer: Answer) -> None:
    answer("quarantine", "list")
    path = folder / "pinfold-data" / "ledger.db"
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 2 : 4096 * 3] = b"\xff" * 4096
    path.write_bytes(damaged)
    assert states(answer("doctor", exit_code=1))["ledger.db"] == "fail"


def test_a_database_of_a_later_version(index: FakeUpstream, folder: Path, answer: Answer) -> None:
    answer("quarantine", "list")
    with sqlite3.connect(folder / "pinfold-data" / "ledger.db") as connection:
        connection.execute("UPDATE _sqlite_migrations SET name = name || ' of the future'")
    connection.close()
    assert states(answer("doctor", exit_code=1))["start"] == "fail"


@pytest.mark.parametrize(("free", "state"), [(100 << 30, "ok"), (1 << 30, "warn"), (1 << 20, "fail")])
def test_the_disk(index: FakeUpstream, answer: Answer, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert states(answer("doctor", exit_code=int(state == "fail")))["disk"] == state


def test_an_upstream_that_fails(index: FakeUpstream, run: Run) -> None:
    index.befall(index.page_path(running_checks.PROBE), Fault(status=403))
    result = run("doctor")
    assert result.exit_code == 1
    assert "fail  upstream pypi" in result.stdout


def test_an_upstream_that_answers_but_is_no_index_of_pypis_kind(upstream: FakeUpstream, answer: Answer) -> None:
    assert states(answer("doctor"))["upstream pypi"] == "warn"


def test_a_clock_behind_the_newest_upload_is_slow(index: FakeUpstream, answer: Answer) -> None:
    index.add_file(running_checks.PROBE, "26.4", upload_time=datetime.now(UTC) + timedelta(hours=2))
    document = answer("doctor", exit_code=1)
    assert states(document)["clock"] == "fail"
    assert "slow by 1 h" in next(one["found"] for one in document["checks"] if one["subject"] == "clock")


def test_the_trust_root_is_told_with_its_hash_and_age(index: FakeUpstream, answer: Answer, folder: Path) -> None:
    root = read_trust_root(None)
    (check,) = (each for each in answer("doctor")["checks"] if each["subject"] == "trust root")
    assert check["found"].startswith(f"{root.path}, sha256 {root.sha256[:12]}, ")
    copy = folder / "root.json"
    shutil.copyfile(root.path, copy)
    os.utime(copy, (0, 0))
    Path("pinfold.toml").write_text('[sigstore]\ntrusted_root = "root.json"\n')
    (check,) = (each for each in answer("doctor")["checks"] if each["subject"] == "trust root")
    assert check["state"] == "warn"
    assert "keys that came into use since are not known" in check["advice"]


def test_a_trust_root_that_is_none_fails(index: FakeUpstream, run: Run) -> None:
    Path("root.json").write_text("{}")
    Path("pinfold.toml").write_text('[sigstore]\ntrusted_root = "root.json"\n')
    result = run("doctor")
    assert result.exit_code == 1
    assert "fail  trust root" in result.stdout


def test_without_a_rule_that_asks_for_provenance_there_is_no_trust_root(index: FakeUpstream, answer: Answer) -> None:
    Path("mine.toml").write_text('[[rule]]\nid = "hash-changed"\n')
    Path("pinfold.toml").write_text('[sigstore]\ntrusted_root = ""\n[indexes.main]\npolicy = "mine.toml"\n')
    assert "trust root" not in states(answer("doctor"))


def test_what_stands_in_front_needs_an_outside_address(
    index: FakeUpstream, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "front" not in states(answer("doctor"))
    monkeypatch.setenv("PINFOLD_SERVER__TRUSTED_PROXIES", "192.0.2.1")
    assert states(answer("doctor"))["front"] == "warn"
    monkeypatch.setenv("PINFOLD_SERVER__BASE_URL", "https://pinfold.example")
    assert "front" not in states(answer("doctor"))
