"""`pinfold policy replay`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.evidence import a_file, evidence_of
from tests.unit.cli.conftest import Run

from pinfold.bootstrap import open_installation
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.settings import Settings

CANDIDATE = '[[rule]]\nid = "minimum-age"\nparams = {days = 3}\n'


def serve_young_file(data: Path) -> None:
    """Leave a log in which a file was served an hour after its upload."""
    now = datetime.now(UTC)
    evidence = evidence_of(a_file(upload_time=now - timedelta(hours=2)))
    entry = Entry(
        action=Action.FILE_SERVED,
        time=now - timedelta(hours=1),
        actor=Actor("ci", "192.0.2.7"),
        index="main",
        project="litellm",
        version="1.82.8",
        filename=evidence.file.filename,
        sha256=evidence.file.sha256,
        decision="allow",
        evidence_digest=evidence.digest(),
    )

    async def append() -> None:
        async with open_installation(Settings(data=data)) as installation:
            await installation.audit_log.append(entry, evidence)

    asyncio.run(append())


def test_a_replay_says_no_where_something_served_would_be_refused(
    folder: Path, run: Run, answer: Callable[..., Any]
) -> None:
    serve_young_file(folder / "pinfold-data")
    (folder / "candidate.toml").write_text(CANDIDATE)
    (change,) = answer("policy", "replay", "candidate.toml", exit_code=1)["changes"]
    assert (change["direction"], change["rule"], change["requests"]) == ("refuse", "minimum-age", 1)
    assert change["clients"] == [{"actor": "ci", "address": "192.0.2.7"}]
    told = run("policy", "replay", "candidate.toml", "--since", "1d", "--index", "main").stdout
    assert "1 file would have been refused, though served:" in told
    assert "litellm-1.82.8-py3-none-any.whl  main   1      1" in told
    assert "minimum-age: uploaded 1 h ago, needs 3 d" in told


def test_a_replay_in_which_nothing_changes_is_well(folder: Path, run: Run, answer: Callable[..., Any]) -> None:
    serve_young_file(folder / "pinfold-data")
    (folder / "candidate.toml").write_text(CANDIDATE)
    document = answer("policy", "replay", "candidate.toml", "--since", "10m")
    assert (document["judged"], document["changes"]) == (0, [])
    assert "decided as was decided" in run("policy", "replay", "candidate.toml", "--since", "10m").stdout


def test_a_replay_of_no_policy_or_no_index_is_wrong_usage(folder: Path, run: Run) -> None:
    (folder / "candidate.toml").write_text(CANDIDATE)
    assert run("policy", "replay", "absent.toml").exit_code == 2
    assert run("policy", "replay", "candidate.toml", "--index", "absent").exit_code == 2
    assert run("policy", "replay", "candidate.toml", "--since", "soon").exit_code == 2
