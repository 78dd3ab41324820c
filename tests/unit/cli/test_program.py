"""What all commands have in common."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tests.fakes.upstream import FakeUpstream, Fault
from tests.unit.cli.conftest import Run

from pinfold import __version__
from pinfold.cli import COMMANDS, program
from pinfold.cli.parameters import When, operating_system_user


def commands(group: click.Group = program, *above: str) -> list[list[str]]:
    found: list[list[str]] = []
    for name, command in group.commands.items():
        found += commands(command, *above, name) if isinstance(command, click.Group) else [[*above, name]]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_takes_the_common_options(run: Run, command: list[str]) -> None:
    shown = run(*command, "--help").stdout
    for option in ("--config FILE", "--data FOLDER", "--json"):
        assert option in shown


def test_no_command_is_loaded_before_it_is_called() -> None:
    loaded = "import sys, pinfold.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.split()
    assert "pinfold.cli.invocation" in modules
    assert not {f"pinfold.cli.{name}" for name in COMMANDS} & set(modules)
    assert not {"aiohttp", "cryptography", "pydantic", "sqlite3"} & set(modules)


def test_the_version(run: Run) -> None:
    assert run("--version").stdout == f"pinfold, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--data", "other", "--json", "quarantine", "list"],
        ["quarantine", "--data", "other", "--json", "list"],
        ["quarantine", "list", "--data", "other", "--json"],
        ["--json", "quarantine", "list", "--data", "other"],
    ],
)
def test_the_common_options_count_wherever_they_stand(run: Run, arguments: list[str]) -> None:
    Path("other").mkdir()
    run("quarantine", "add", "litellm", "--reason", "odd", "--data", "other")
    assert [record["target"] for record in json.loads(run(*arguments).stdout)["records"]] == ["litellm"]
    assert json.loads(run("quarantine", "list", "--json").stdout) == {"records": []}


def test_the_configuration_counts_wherever_it_is_named(run: Run) -> None:
    Path("named.toml").write_text('[indexes.main]\npolicy = "strict"\n')
    for arguments in (["--config", "named.toml", "policy", "show"], ["policy", "show", "--config", "named.toml"]):
        assert run(*arguments).stdout.startswith("strict")
    assert run("policy", "show").stdout.startswith("baseline")


def test_a_wrong_configuration_is_exit_code_2_with_every_problem_and_no_traceback(run: Run) -> None:
    Path("pinfold.toml").write_text('dat = "x"\n[server]\nport = "many"\n')
    result = run("index", "list")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Error: the configuration is wrong:",
        "pinfold.toml: server.port: must be a whole number",
        "pinfold.toml: dat: there is no such key; did you mean data?",
    ]


def test_an_error_is_a_json_document_too_where_json_is_asked_for(run: Run) -> None:
    result = run("quarantine", "release", "Q-NOTHERE", "--reason", "x", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "error": {"type": "NotFound", "message": "there is no quarantine record Q-NOTHERE"}
    }
    assert result.stderr == "Error: there is no quarantine record Q-NOTHERE\n"


def test_a_key_in_the_configuration_cannot_steer_the_terminal(run: Run) -> None:
    Path("pinfold.toml").write_text('"\\u001b[31mred" = 1\n')
    result = run("index", "list")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert r"\x1b[31mred" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["quarantine", "list"],
        ["quarantine", "add", "litellm", "--reason", "x"],
        ["waiver", "list"],
        ["audit", "search"],
    ],
)
def test_no_command_on_records_begins_a_data_directory_by_mistake(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, "--data", "elsewhere")
    assert result.exit_code == 2
    assert f"there is no data directory {Path.cwd() / 'elsewhere'}: name the server's by --data" in result.stderr
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize("target", ["litellm==", "sha256:12", "../x", "", "litellm==1.0; rm"])
def test_a_target_that_names_nothing_is_wrong_usage(run: Run, target: str) -> None:
    result = run("quarantine", "add", target, "--reason", "x")
    assert result.exit_code == 2
    assert "Invalid value for 'TARGET'" in result.stderr


def test_colours_are_for_terminals_that_want_them(folder: Path) -> None:
    arguments = ["policy", "show"]
    in_colour = CliRunner(env={"NO_COLOR": None}).invoke(program, arguments, color=True).stdout
    forbidden = CliRunner(env={"NO_COLOR": "1"}).invoke(program, arguments, color=True).stdout
    piped = CliRunner(env={"NO_COLOR": None}).invoke(program, arguments).stdout
    assert "\x1b[" in in_colour
    assert "\x1b[" not in piped
    assert forbidden == piped


def test_ctrl_c_is_no_answer(upstream: FakeUpstream, folder: Path) -> None:
    upstream.add_file("litellm", "1.0")
    upstream.befall(upstream.page_path("litellm"), Fault(delay=30))
    command = [sys.executable, "-m", "pinfold", "explain", "litellm"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=os.environ
    ) as process:
        deadline = time.monotonic() + 20
        while not upstream.requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, b"")
    assert b"Traceback" not in stderr


class TestWhen:
    NOW = datetime.now(UTC)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2026-04-07", datetime(2026, 4, 7, tzinfo=UTC)),
            ("2026-04-07T12:00", datetime(2026, 4, 7, 12, tzinfo=UTC)),
            ("2026-04-07T12:00Z", datetime(2026, 4, 7, 12, tzinfo=UTC)),
            ("2026-04-07T12:00+02:00", datetime(2026, 4, 7, 10, tzinfo=UTC)),
        ],
    )
    def test_absolute(self, text: str, expected: datetime) -> None:
        assert When().convert(text, None, None) == expected

    def test_lengths_of_time_count_from_now(self) -> None:
        fortnight = timedelta(days=14)
        before = datetime.now(UTC)
        assert before - fortnight <= When().convert("14d", None, None) <= datetime.now(UTC) - fortnight
        assert before + fortnight <= When(ahead=True).convert("2w", None, None) <= datetime.now(UTC) + fortnight

    @pytest.mark.parametrize(
        "text",
        ["", "soon", "14", "14 parsecs", "999999w", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23-05:00"],
    )
    def test_what_is_no_moment(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is no moment: write 14d"):
            When(ahead=True).convert(text, None, None)


def test_the_actor_is_the_user_and_not_what_the_environment_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert operating_system_user().name == pwd.getpwuid(os.geteuid()).pw_name


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999)
    assert operating_system_user().name == "uid 3999999"
