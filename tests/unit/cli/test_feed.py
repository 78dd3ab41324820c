"""`pinfold feed`, and what the doctor says of feeds."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.fakes.osv import FakeOsv, a_record, running_osv, zipped
from tests.fakes.upstream import FakeUpstream
from tests.unit.cli.conftest import Run

from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds

Answer = Callable[..., Any]


@pytest.fixture
def osv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOsv]:
    with running_osv() as osv:
        osv.put(a_record())
        monkeypatch.setenv("PINFOLD_FEEDS__OSV__SOURCE", osv.source)
        yield osv


def test_a_feed_from_its_first_load_on(osv: FakeOsv, run: Run, answer: Answer) -> None:
    (before,) = answer("feed", "status", exit_code=1)["feeds"]
    assert (before["name"], before["state"], before["source"]) == ("osv", "never loaded", osv.source)
    (loaded,) = answer("feed", "sync")["feeds"]
    assert (loaded["changed"], loaded["whole"], loaded["snapshot"]["records"]) == (True, True, 1)
    (again,) = answer("feed", "sync", "osv")["feeds"]
    assert (again["changed"], again["snapshot"]) == (False, loaded["snapshot"])
    (status,) = answer("feed", "status")["feeds"]
    assert (status["state"], status["snapshot"], status["failure"]) == ("current", loaded["snapshot"], None)
    line = run("feed", "status").stdout.splitlines()[1].split()
    assert line[:4] == ["osv", "current", "1", loaded["snapshot"]["sha256"][:12]]


def test_a_failing_feed_is_a_no_and_leaves_what_was_there(osv: FakeOsv, run: Run, answer: Answer) -> None:
    answer("feed", "sync")
    osv.faults["all.zip"] = lambda _: web.Response(body=b"<html>")
    (failed,) = answer("feed", "sync", "--anew", exit_code=1)["feeds"]
    assert "not a zip" in failed["error"]
    (status,) = answer("feed", "status")["feeds"]
    assert status["state"] == "current"
    assert "not a zip" in status["failure"]
    assert "not a zip" in run("feed", "status").stdout


def test_unknown_feeds_are_mistakes(osv: FakeOsv, run: Run) -> None:
    result = run("feed", "sync", "ovs")
    assert result.exit_code == 2
    assert "did you mean osv?" in result.stderr


def test_without_a_feed_there_is_nothing_to_refresh(run: Run, answer: Answer) -> None:
    assert run("feed", "sync").exit_code == 2
    assert answer("feed", "status") == {"feeds": []}


def test_an_air_gapped_site_names_a_zip_beside_its_configuration(run: Run, answer: Answer, monkeypatch) -> None:
    monkeypatch.delenv("PINFOLD_FEEDS__OSV__SOURCE")
    Path("site").mkdir()
    Path("site/osv.zip").write_bytes(zipped({"a.json": json.dumps(a_record()).encode()}))
    Path("site/pinfold.toml").write_text('[feeds.osv]\nsource = "osv.zip"\n')
    (synced,) = answer("feed", "sync", "--config", "site/pinfold.toml")["feeds"]
    assert synced["snapshot"]["records"] == 1


def test_what_a_source_says_cannot_steer_the_terminal(osv: FakeOsv, run: Run) -> None:
    osv.faults["all.zip"] = lambda _: web.Response(body=zipped({"\x1b[2J.json": b"\0" * 100}) + b"\x1b[2J")
    assert "\x1b" not in run("feed", "sync").output


def test_the_doctor_tells_of_feeds(osv: FakeOsv, upstream, answer: Answer) -> None:
    upstream.add_file("pip", "26.3")
    checks = {check["subject"]: check for check in answer("doctor")["checks"]}
    assert (checks["feed osv"]["state"], checks["feed osv"]["found"]) == ("warn", "never loaded")
    assert "pinfold feed sync osv" in checks["feed osv"]["advice"]
    answer("feed", "sync")
    checks = {check["subject"]: check for check in answer("doctor")["checks"]}
    assert (checks["feed osv"]["state"], checks["feed osv"]["advice"]) == ("ok", "")
    assert checks["feed osv"]["found"].startswith("1 records, confirmed ")


def test_a_snapshot_that_nobody_confirmed_for_a_day_is_stale_and_the_doctor_says_so(
    osv: FakeOsv, upstream: FakeUpstream, run: Run, answer: Answer
) -> None:
    answer("feed", "sync")
    asyncio.run(confirmed(datetime.now(UTC) - timedelta(hours=30)))
    (status,) = answer("feed", "status", exit_code=1)["feeds"]
    assert status["state"] == "stale"
    assert "stale" in run("feed", "status").stdout
    (check,) = (check for check in answer("doctor")["checks"] if check["subject"] == "feed osv")
    assert (check["state"], check["found"]) == ("warn", "1 records, confirmed 1 d ago")
    answer("feed", "sync")
    assert answer("feed", "status")["feeds"][0]["state"] == "current"


async def confirmed(moment: datetime) -> None:
    """Let the feed's source have said its last word at a moment."""
    file = await Database.open(Path("pinfold-data/feeds.db"), feeds, durable=False)
    store = SqliteAdvisoryStore(file, ["osv"])
    await store.save("osv", replace(await store.state("osv"), checked_at=moment))
    await file.close()
