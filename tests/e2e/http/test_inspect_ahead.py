"""Whoever read a wheel's metadata needs the wheel next: it is inspected meanwhile, where it may be had at all."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.http.addresses import address

from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.target import parse_target
from pinfold.usecases import inspect_ahead
from pinfold.usecases.quarantine import Quarantine

MIB = 1024 * 1024
HOOK = {"widget_init.pth": b"import os  # runs at every start of the interpreter\n"}
DATA = {"widget/data.bin": hashlib.shake_128(b"data").digest(2 * MIB)}


@pytest.fixture
def overrides(overrides, tmp_path):
    policy = tmp_path / "main.toml"
    policy.write_text('[[rule]]\nid = "contents"\n\n[[rule]]\nid = "quarantined"\n')
    return overrides | {"feeds.osv.source": "", "indexes.main.policy": str(policy)}


@pytest.fixture
def release(upstream):
    def add(version, files=None):
        return upstream.add_file("widget", version, upload_time=datetime.now(UTC) - timedelta(days=5), files=files)

    return add


async def read_metadata(pinfold, file):
    return (await pinfold.get(f"{address(file)}.metadata")).status


async def inspected(pinfold):
    """Wait until a file is inspected."""
    for _ in range(500):
        if b"pinfold_inspection_seconds_count" in (await pinfold.get("/metrics")).body:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing is inspected")


async def test_a_wheel_is_fetched_and_inspected_as_soon_as_its_metadata_is_read(pinfold, upstream, release):
    file = release("1.0")
    assert await read_metadata(pinfold, file) == 200
    await inspected(pinfold)
    assert await pinfold.audited() == []
    assert (await pinfold.get(address(file))).body == file.content
    assert len(upstream.requests_for(file)) == 1
    assert [entry.action for entry in await pinfold.audited()] == [Action.FILE_SERVED]


async def test_what_is_seen_of_it_is_held_against_it_before_it_is_asked_for(pinfold, release):
    release("1.0")
    file = release("1.1", HOOK)
    assert await read_metadata(pinfold, file) == 200
    for _ in range(500):
        page = json.loads((await pinfold.get("/simple/widget/", Accept="application/vnd.pypi.simple.v1+json")).body)
        if reason := page["files"][-1]["yanked"]:
            break
        await asyncio.sleep(0.02)
    assert "quarantined by contents: new-start-up-hook" in reason
    assert await read_metadata(pinfold, file) == 403


async def test_a_large_wheel_waits_until_it_is_asked_for(pinfold, upstream, release, monkeypatch):
    monkeypatch.setattr(inspect_ahead, "LARGEST_NEXT", MIB)
    large, small = release("1.0", DATA), release("1.1")
    assert [await read_metadata(pinfold, file) for file in (large, small)] == [200, 200]
    await inspected(pinfold)
    assert (upstream.requests_for(large), len(upstream.requests_for(small))) == ([], 1)


async def test_what_is_refused_is_not_fetched(pinfold, upstream, release):
    refused, other = release("1.0"), release("1.1")
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    await quarantine.add(parse_target("widget==1.0"), "a look first", None, Actor("somebody"))
    assert [await read_metadata(pinfold, file) for file in (refused, other)] == [403, 200]
    await inspected(pinfold)
    assert upstream.requests_for(refused) == []


async def test_what_many_have_read_the_metadata_of_is_within_the_budget(pinfold, upstream, release, monkeypatch):
    first, second = release("1.0"), release("1.1")
    monkeypatch.setattr(inspect_ahead, "BYTES_PER_HOUR", len(first.content))
    assert await read_metadata(pinfold, first) == 200
    await inspected(pinfold)
    assert await read_metadata(pinfold, second) == 200
    assert (await pinfold.get(address(first))).status == 200
    assert upstream.requests_for(second) == []
