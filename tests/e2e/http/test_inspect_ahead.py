"""Whoever read a wheel's metadata needs the wheel next, and the pages of what it needs: they are had meanwhile."""

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
    return overrides | {"feeds.osv.source": "", "indexes.main.policy": str(policy), "indexes.main.private": ["acme-*"]}


@pytest.fixture
def release(upstream):
    def add(version, files=None, needs=()):
        uploaded = datetime.now(UTC) - timedelta(days=5)
        return upstream.add_file("widget", version, upload_time=uploaded, files=files, requires_dist=needs)

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


async def asked(upstream, path):
    """Wait until the upstream is asked for something, and return how often that was."""
    for _ in range(500):
        if requests := upstream.requests_for(path):
            return len(requests)
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} is not asked for")


async def test_the_pages_of_what_it_needs_are_fetched_as_well(pinfold, upstream, release):
    upstream.add_file("gear", "1.0")
    assert await read_metadata(pinfold, release("1.0", needs=["Gear>=1", "sprocket; extra == 'more'"])) == 200
    assert await asked(upstream, "/simple/gear/") == 1
    assert (await pinfold.get("/simple/gear/")).status == 200
    assert (len(upstream.requests_for("/simple/gear/")), upstream.requests_for("/simple/sprocket/")) == (1, [])


async def test_no_private_name_is_asked_for_because_a_wheel_names_it(pinfold, upstream, release):
    upstream.add_file("gear", "1.0")
    assert await read_metadata(pinfold, release("1.0", needs=["acme-secret", "gear"])) == 200
    assert await asked(upstream, "/simple/gear/") == 1
    assert upstream.requests_for("/simple/acme-secret/") == []


async def test_what_is_inspected_already_makes_nobody_ask_again(pinfold, upstream, release):
    file = release("1.0", needs=["gear"])
    assert (await pinfold.get(address(file))).status == 200
    assert await read_metadata(pinfold, file) == 200
    await asyncio.sleep(0.1)
    assert upstream.requests_for("/simple/gear/") == []


class TestOwnProjects:
    @pytest.fixture
    def overrides(self, overrides):
        return overrides | {"upstreams.pypi.private": True}

    async def test_what_an_organisations_own_wheel_needs_is_told_to_nobody(self, pinfold, upstream, release):
        file = release("1.0", needs=["gear"])
        assert await read_metadata(pinfold, file) == 200
        await inspected(pinfold)
        assert upstream.requests_for("/simple/gear/") == []


class TestTrafficSaved:
    @pytest.fixture
    def overrides(self, overrides):
        return overrides | {"upstreams.pypi.fetch_ahead": False}

    async def test_nothing_is_fetched_that_nobody_asked_for(self, pinfold, upstream, release):
        first, second = release("1.0", needs=["gear"]), release("1.1", needs=["gear"])
        assert (await pinfold.get(address(first))).status == 200
        assert await read_metadata(pinfold, second) == 200
        await asyncio.sleep(0.1)
        assert (upstream.requests_for(second), upstream.requests_for("/simple/gear/")) == ([], [])
        assert (await pinfold.get(address(second))).body == second.content


class TestAnotherUpstreamSaved:
    @pytest.fixture
    def overrides(self, overrides):
        return overrides | {
            "upstreams.other": {"url": "https://other.example/simple/", "fetch_ahead": False},
            "indexes.main.upstreams": ["pypi", "other"],
        }

    async def test_no_page_is_looked_for_where_nothing_is_fetched_ahead(self, pinfold, upstream, release):
        file = release("1.0", needs=["gear"])
        assert await read_metadata(pinfold, file) == 200
        await inspected(pinfold)
        assert (len(upstream.requests_for(file)), upstream.requests_for("/simple/gear/")) == (1, [])
