"""`pinfold serve`, and what the command line does to a server that runs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.upstream import FakeUpstream
from tests.unit.cli.conftest import Run, Serving

Answer = Callable[..., Any]


def test_a_server_announces_itself_serves_and_stops(upstream: FakeUpstream, serving: Serving) -> None:
    upstream.add_file("litellm", "1.82.6")
    with serving() as server:
        assert f"pip install --index-url {server.address}/simple/ PROJECT" in server.announced
        assert server.status("/simple/litellm/") == 200
    assert server.process.returncode == 0


def test_the_outside_address_is_what_people_are_told(
    folder: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINFOLD_SERVER__BASE_URL", "https://pinfold.example/")
    with serving() as server:
        assert "pip install --index-url https://pinfold.example/simple/ PROJECT" in server.announced
        assert server.status("/healthz") == 200


def test_several_workers_share_a_port_and_stop_together(upstream: FakeUpstream, serving: Serving) -> None:
    upstream.add_file("litellm", "1.82.6")
    with serving("--workers", "2") as server:
        assert server.status("/simple/litellm/") == 200
    assert server.process.returncode == 0


def test_flags_override_the_configuration(upstream: FakeUpstream, serving: Serving, run: Run) -> None:
    upstream.add_file("litellm", "1.82.6", sdist=True)
    flags = ["--upstream", upstream.url, "--policy", "strict", "--host", "localhost"]
    environ = {"PINFOLD_UPSTREAMS__PYPI__URL": "http://127.0.0.1:9/"}
    assert run("serve", *flags, "--port", "70000", env=environ).exit_code == 2
    with serving(*flags) as server:
        assert server.status("/simple/litellm/") == 200


def test_a_quarantine_from_the_command_line_holds_within_a_second(
    upstream: FakeUpstream, serving: Serving, answer: Answer
) -> None:
    file = upstream.add_file("litellm", "1.82.8")
    address = f"/files/litellm/{file.sha256}/{file.filename}"
    with serving() as server:
        assert server.status(address) == 200
        record = answer("quarantine", "add", "litellm==1.82.8", "--reason", "steals keys")["id"]
        time.sleep(1)
        assert server.status(address) == 403
        answer("quarantine", "release", record, "--reason", "false alarm")
        time.sleep(1)
        assert server.status(address) == 200
        actions = [one["entry"]["action"] for one in answer("audit", "tail")["entries"]]
        # The policy is entered when the server starts, and what was served is looked back at in its own time.
        told = [action for action in actions if action not in ("policy.changed", "decision.changed")]
        assert told == ["file.served", "quarantine.add", "file.refused", "quarantine.release", "file.served"]


def test_bytes_are_explained_by_what_was_asked_for_before(
    upstream: FakeUpstream, serving: Serving, run: Run, answer: Answer
) -> None:
    file = upstream.add_file("litellm", "1.82.8")
    answer("quarantine", "add", "litellm", "--reason", "odd")
    assert run("explain", f"sha256:{file.sha256}").exit_code == 2
    with serving() as server:
        assert server.status(f"/files/litellm/{file.sha256}/{file.filename}") == 403
    result = run("explain", f"sha256:{file.sha256}", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["releases"][0]["files"][0]["filename"] == file.filename


def test_a_port_that_is_taken_is_said_in_one_line(upstream: FakeUpstream, run: Run) -> None:
    port = upstream.file_host.partition(":")[2]
    result = run("serve", "--port", port)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: 127.0.0.1:{port} is in use")
