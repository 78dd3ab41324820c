"""`pinfold publishers`."""

import json
import os
import pwd
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.sigstore import Break, GitHubIdentity, LocalSigstore
from tests.fakes.upstream import FakeUpstream
from tests.unit.cli.conftest import Run

ME = pwd.getpwuid(os.geteuid()).pw_name
MOVED = GitHubIdentity("elsewhere/widget", repository_id="9", owner_id="9")
Answer = Callable[..., Any]


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> LocalSigstore:
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture
def index(upstream: FakeUpstream, sigstore: LocalSigstore) -> FakeUpstream:
    """A project that moved, and one that never attested."""
    now = datetime.now(UTC)
    Path("pinfold.toml").write_text(f'[sigstore]\ntrusted_root = "{sigstore.trusted_root_path}"\n')
    for version, days, identity, broken in (
        ("1.0", 40, GitHubIdentity(), ()),
        ("1.1", 9, MOVED, ()),
        ("1.2", 8, None, ()),
        ("1.3", 7, GitHubIdentity(), {Break.SIGNATURE}),
    ):
        uploaded = now - timedelta(days=days)
        file = upstream.add_file("widget", version, upload_time=uploaded)
        if identity is not None:
            attestation = sigstore.attest(
                file.filename, file.sha256, identity, at=uploaded - timedelta(minutes=1), broken=broken
            )
            file.provenance = json.dumps(sigstore.provenance([attestation], identity.publisher())).encode()
    upstream.add_file("bare", "1.0")
    return upstream


def test_a_pin_from_its_beginning_to_its_end(run: Run, answer: Answer) -> None:
    pinned = answer(
        *("publishers", "pin", "LiteLLM", "--repository", "BerriAI/litellm", "--workflow", "publish.yml"),
        *("--environment", "release", "--reason", "it is theirs"),
    )
    assert (pinned["project"], pinned["decision"], pinned["created_by"]) == ("litellm", "pin", ME)
    assert pinned["publisher"]["repository"] == "BerriAI/litellm"
    assert answer("publishers", "list")["records"] == [pinned]
    listed = run("publishers", "list").stdout
    assert "GitHub BerriAI/litellm (publish.yml) in release" in listed
    revoked = answer("publishers", "revoke", pinned["id"].lower())
    assert (revoked["revoked_by"], revoked["id"]) == (ME, pinned["id"])
    assert run("publishers", "list").stdout == "Nobody is pinned or accepted.\n"
    entries = answer("audit", "search", "--reference", pinned["id"], "--oldest-first")["entries"]
    assert [one["entry"]["action"] for one in entries] == ["publisher.pin", "publisher.revoke"]
    assert entries[0]["entry"]["details"] == {
        "publisher": "GitHub BerriAI/litellm (publish.yml) in release",
        "reason": "it is theirs",
    }


def test_a_pin_that_no_policy_enforces_says_so(run: Run) -> None:
    Path("lax.toml").write_text('[[rule]]\nid = "vanished"\n')
    Path("seen.toml").write_text('[[rule]]\nid = "provenance"\nmode = "observe"\n')
    Path("other.toml").write_text('[[rule]]\nid = "provenance"\nmatch = { projects = ["other"] }\n')
    Path("pinfold.toml").write_text(
        "".join(f'[indexes.{name}]\npolicy = "{name}.toml"\n' for name in ("lax", "seen", "other"))
    )
    pin = ("publishers", "pin", "litellm", "--repository", "BerriAI/litellm", "--reason", "theirs")
    pinned = run(*pin)
    assert pinned.exit_code == 0
    assert pinned.stderr == "It changes nothing in lax, other, seen: no rule provenance judges litellm there.\n"
    assert json.loads(run(*pin, "--json").stdout)["project"] == "litellm"
    Path("pinfold.toml").write_text("")
    assert run(*pin).stderr == ""


def test_an_account_is_pinned_by_its_address(answer: Answer) -> None:
    named = ("--kind", "google", "--email", "robot@example.com")
    pinned = answer("publishers", "pin", "litellm", *named, "--reason", "theirs")
    assert pinned["publisher"]["email"] == "robot@example.com"


@pytest.mark.parametrize(
    "named",
    [
        (),
        ("--repository", "litellm"),
        ("--repository", "a/b", "--email", "robot@example.com"),
        ("--kind", "Google", "--repository", "a/b"),
        ("--kind", "Google"),
        ("--kind", "CircleCI", "--repository", "a/b"),
    ],
)
def test_who_is_not_named_is_not_pinned(named: tuple[str, ...], run: Run, answer: Answer) -> None:
    assert run("publishers", "pin", "litellm", *named, "--reason", "x").exit_code == 2
    assert answer("publishers", "list") == {"records": []}


def test_reasons_are_required(run: Run) -> None:
    assert run("publishers", "pin", "litellm", "--repository", "a/b").exit_code == 2
    result = run("publishers", "pin", "litellm", "--repository", "a/b", "--reason", " ")
    assert result.exit_code == 2
    assert "a reason is needed" in result.stderr


def test_what_stands_no_more_cannot_be_revoked(run: Run, answer: Answer) -> None:
    pinned = answer("publishers", "pin", "litellm", "--repository", "a/b", "--reason", "x")
    answer("publishers", "revoke", pinned["id"])
    for record, why in ((pinned["id"], "was revoked by"), ("P-NONE", "there is no pinned or accepted publisher")):
        result = run("publishers", "revoke", record)
        assert result.exit_code == 2
        assert why in result.stderr


def test_a_change_is_accepted_by_the_release_that_made_it(index: FakeUpstream, run: Run, answer: Answer) -> None:
    assert run("explain", "widget-1.1-py3-none-any.whl").exit_code == 1
    (accepted,) = answer("publishers", "accept", "widget==1.1", "--reason", "they moved")["records"]
    assert (accepted["decision"], accepted["publisher"]["repository"]) == ("accept", "elsewhere/widget")
    assert run("explain", "widget-1.1-py3-none-any.whl").exit_code == 0
    (entry,) = answer("audit", "search", "--action", "publisher.accept")["entries"]
    assert entry["entry"]["details"]["target"] == "widget==1.1"
    again = run("publishers", "accept", "widget==1.1", "--reason", "they moved")
    assert again.exit_code == 2
    assert "is accepted already" in again.stderr


def test_giving_attestations_up_is_accepted_by_file_too(index: FakeUpstream, run: Run, answer: Answer) -> None:
    filename = "widget-1.2-py3-none-any.whl"
    assert run("explain", filename).exit_code == 1
    (accepted,) = answer("publishers", "accept", filename, "--reason", "their build service changed")["records"]
    assert accepted["publisher"] is None
    assert run("explain", filename).exit_code == 0
    assert "widget is accepted without attestations" not in run("publishers", "list").stdout
    assert "no attestations" in run("publishers", "list").stdout


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("widget==1.3", "is not valid, which no one can accept"),
        ("widget==9", "has no file of widget==9"),
        ("nowhere==1", "has no file of nowhere==1"),
        ("widget", "name the release"),
        ("sha256:" + "0" * 64, "name the release"),
    ],
)
def test_what_proves_nobody_cannot_be_accepted(
    target: str, why: str, index: FakeUpstream, run: Run, answer: Answer
) -> None:
    result = run("publishers", "accept", target, "--reason", "x")
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())
    assert answer("publishers", "list") == {"records": []}


def test_what_was_learnt_is_told_by_release_line(index: FakeUpstream, run: Run, answer: Answer) -> None:
    answer("publishers", "accept", "widget==1.1", "--reason", "they moved")
    document = answer("publishers", "list", "widget")
    assert [record["project"] for record in document["records"]] == ["widget"]
    (first, *_) = document["learnt"]
    assert (first["line"], first["attested_version"]) == ("1", "1.0")
    listed = run("publishers", "list", "widget").stdout
    assert "LINE" in listed
    assert "GitHub elsewhere/widget (publish.yml)" in listed
    assert "No file of bare is known to be attested." in run("publishers", "list", "bare").stdout


def test_projects_and_indexes_that_do_not_exist_are_mistakes(index: FakeUpstream, run: Run) -> None:
    assert run("publishers", "list", "nowhere").exit_code == 2
    assert run("publishers", "list", "widget", "--index", "nowhere").exit_code == 2
