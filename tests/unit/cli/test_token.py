"""`pinfold token`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.cli.conftest import Run

from pinfold.domain.token_text import read_token

Answer = Callable[..., Any]


def test_a_token_from_its_beginning_to_its_end(run: Run, answer: Answer) -> None:
    made = answer("token", "create", "ci", "--role", "publisher", "--index", "main", "--project", "Acme_Core")
    assert (made["name"], made["role"], made["indexes"], made["projects"]) == (
        "ci",
        "publisher",
        ["main"],
        ["acme-core"],
    )
    listed = run("token", "list").stdout.splitlines()
    assert listed[0].split() == ["ID", "STATE", "NAME", "ROLE", "FOR", "UNTIL", "LAST", "USED", "BY"]
    assert listed[1].startswith(f"{made['id']}  in force  ci    publisher  acme-core of index main  no end  never")
    assert run("token", "revoke", made["id"]).stdout == f"{made['id']}: ci opens nothing any more.\n"
    assert answer("token", "list") == {"tokens": []}
    assert run("token", "list").stdout == "There are no tokens.\n"
    (revoked,) = answer("token", "list", "--all")["tokens"]
    assert (revoked["state"], revoked["id"]) == ("revoked", made["id"])


def test_the_secret_is_all_of_the_output_and_shown_once(run: Run, answer: Answer) -> None:
    result = run("token", "create", "ci", "--role", "reader", "--expires", "90d")
    text = read_token(result.stdout.strip())
    assert text is not None
    assert result.stdout == result.stdout.strip() + "\n", "so that it can be piped to where it is kept"
    assert "ci, a reader for every index, until " in result.stderr
    secret = result.stdout.strip().rpartition("_")[2]
    for command in (
        ["token", "list", "--all"],
        ["audit", "search"],
        ["token", "list", "--json"],
        ["audit", "tail", "--json"],
    ):
        assert secret not in run(*command).output
    assert secret not in result.stderr


def test_the_log_tells_who_gave_what_to_whom(run: Run, answer: Answer) -> None:
    made = answer("token", "create", "ci", "--role", "publisher", "--project", "acme-*")
    answer("token", "revoke", made["id"])
    entries = [
        one["entry"] for one in answer("audit", "search", "--reference", made["id"], "--oldest-first")["entries"]
    ]
    assert [entry["action"] for entry in entries] == ["token.create", "token.revoke"]
    line = run("audit", "search", "--action", "token.create").stdout.splitlines()[1]
    assert line.endswith(f"{made['id']} ci  publisher for acme-* of *, until never")


def test_an_end_is_kept(answer: Answer) -> None:
    made = answer("token", "create", "ci", "--role", "reader", "--expires", "1d")
    ends = datetime.fromisoformat(made["expires_at"])
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(days=1)


def test_a_token_can_be_made_before_a_server_ever_ran(folder: Any, run: Run) -> None:
    (folder / "pinfold-data").rmdir()
    assert run("token", "create", "first", "--role", "admin").exit_code == 0
    assert json.loads(run("token", "list", "--json").stdout)["tokens"][0]["name"] == "first"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "ci"], "Missing option '--role'"),
        (["create", "ci", "--role", "king"], "'king' is not one of"),
        (["create", "ci", "--role", "admin", "--project", "acme"], "whole indexes"),
        (["create", "ci", "--role", "reader", "--index", "prdo"], "no index is called 'prdo'; known: main"),
        (["create", "ci", "--role", "reader", "--project", "a b"], "matches no project name"),
        (["create", "ci", "--role", "reader", "--expires", "soon"], "is no moment"),
        (["create", "\x1b[31mred", "--role", "reader"], "no name for a token"),
        (["revoke", "T-NOSUCH"], "there is no token T-NOSUCH"),
    ],
)
def test_what_cannot_be_is_told(run: Run, arguments: list[str], said: str) -> None:
    result = run("token", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert "\x1b" not in result.stderr
