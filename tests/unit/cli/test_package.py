"""`pinfold package`."""

import asyncio
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import NOON
from tests.fakes.upstream import FakeUpstream
from tests.unit.cli.conftest import Run

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.cli import running_checks
from pinfold.domain.distribution import parse_distribution
from pinfold.domain.project import File
from pinfold.domain.published import Claim, PublishedFile

ME = pwd.getpwuid(os.geteuid()).pw_name
WHEEL, SDIST, NEXT = "acme_tool-1.0-py3-none-any.whl", "acme_tool-1.0.tar.gz", "acme_tool-1.1-py3-none-any.whl"
Answer = Callable[..., Any]


async def _publish(data: Path, index: str, *filenames: str, namesakes: tuple[str, ...] = ()) -> None:
    opened = DataDirectory.open(data)
    ledger, _ = await open_ledger(opened.ledger, SigningKeys(opened.keys))
    store = SqlitePublishedStore(ledger)
    for filename in filenames:
        parsed = parse_distribution(filename)
        url = f"published:{index}/{filename}"
        file = File(filename, url, "a" * 64, parsed.kind, parsed.version, 10, NOON, provenance=True)
        published = PublishedFile(index, parsed.project, file, parsed.slot, "ci")
        await store.publish(published, None, Claim(index, parsed.project, NOON, "ci", namesakes), [])
    await ledger.close()


@pytest.fixture(autouse=True)
def published(folder: Path) -> None:
    asyncio.run(_publish(folder / "pinfold-data", "main", WHEEL, SDIST, NEXT))
    asyncio.run(_publish(folder / "pinfold-data", "other", "acme_more-2.0.tar.gz"))


def names(document: Any) -> list[str]:
    return [file["filename"] for file in document["files"]]


def test_everything_that_was_published_is_listed(run: Run, answer: Answer) -> None:
    assert names(answer("package", "list")) == [WHEEL, SDIST, NEXT, "acme_more-2.0.tar.gz"]
    assert names(answer("package", "list", "--index", "other")) == ["acme_more-2.0.tar.gz"]
    assert names(answer("package", "list", "acme-tool==1.0")) == [WHEEL, SDIST]
    assert names(answer("package", "list", "sha256:" + "a" * 64, "--index", "other")) == ["acme_more-2.0.tar.gz"]
    heading, first, *_ = run("package", "list").stdout.splitlines()
    assert heading.split() == ["INDEX", "FILE", "UPLOADED", "BY", "STATE"]
    assert first.split() == ["main", WHEEL, "2026-03-24", "12:00", "ci"]
    assert run("package", "list", "six").stdout == "Nothing is published.\n"


def test_a_yank_from_its_beginning_to_its_end(run: Run, answer: Answer) -> None:
    yanked = answer("package", "yank", "acme-tool==1.0", "--reason", "breaks <b>things</b>")
    assert [(file["filename"], file["yanked"]) for file in yanked["files"]] == [
        (WHEEL, "breaks <b>things</b>"),
        (SDIST, "breaks <b>things</b>"),
    ]
    assert [file["yanked"] for file in answer("package", "list", "acme-tool")["files"]] == [
        "breaks <b>things</b>",
        "breaks <b>things</b>",
        None,
    ]
    assert "yanked: breaks <b>things</b>" in run("package", "list").stdout
    assert run("package", "unyank", WHEEL, "--reason", "mended").stdout == f"{WHEEL} is not yanked any more.\n"
    assert answer("package", "list", WHEEL)["files"][0]["yanked"] is None
    entries = answer("audit", "search", "--project", "acme-tool", "--oldest-first")["entries"]
    assert [(one["entry"]["action"], one["entry"]["filename"], one["entry"]["actor"]["name"]) for one in entries] == [
        ("file.yanked", WHEEL, ME),
        ("file.yanked", SDIST, ME),
        ("file.unyanked", WHEEL, ME),
    ]
    assert entries[2]["entry"]["details"] == {"reason": "mended"}


def test_what_is_deleted_is_listed_no_more_and_cannot_be_changed(run: Run, answer: Answer) -> None:
    (deleted,) = answer("package", "delete", NEXT, "--reason", "held a password")["files"]
    assert (deleted["deleted"]["by"], deleted["deleted"]["reason"]) == (ME, "held a password")
    assert names(answer("package", "list", "acme-tool")) == [WHEEL, SDIST]
    assert names(answer("package", "list", "acme-tool", "--all")) == [WHEEL, SDIST, NEXT]
    assert f"deleted by {ME}: held a password" in run("package", "list", "--all").stdout
    for act in ("yank", "delete"):
        result = run("package", act, NEXT, "--reason", "again")
        assert (result.exit_code, "nothing that was published on index main is" in result.stderr) == (2, True)


@pytest.mark.parametrize("act", ["yank", "unyank", "delete"])
def test_every_change_needs_a_reason_and_a_file(run: Run, act: str) -> None:
    assert "Missing option '--reason'" in run("package", act, "acme-tool").stderr
    assert run("package", act, "acme-tool", "--reason", "\x1b").exit_code == 2
    for target in ("six", "acme-tool==3.0", "acme-more"):
        result = run("package", act, target, "--reason", "why")
        assert (result.exit_code, "nothing that was published on index main is" in result.stderr) == (2, True)


def test_the_doctor_tells_of_lost_bytes_and_of_names_that_exist_elsewhere(
    upstream: FakeUpstream, folder: Path, answer: Answer
) -> None:
    upstream.add_file(running_checks.PROBE, "26.3")
    asyncio.run(_publish(folder / "pinfold-data", "main", "requests-3.0.tar.gz", namesakes=("pypi",)))
    document = answer("doctor", exit_code=1)
    told = [(check["state"], check["found"]) for check in document["checks"] if check["subject"] == "packages"]
    assert told == [
        ("warn", "requests exists on pypi, too"),
        ("fail", f"the bytes of 5 published files are lost, such as {WHEEL}"),
    ]
