"""Typing errors that somebody waits for: refused with the name that was meant, while honest neighbours install."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.http.addresses import address
from tests.e2e.in_process import in_process
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import running_upstream

from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.usecases import known_names
from pinfold.usecases.waive import Waive

MONTH_AGO = datetime.now(UTC) - timedelta(days=30)
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def overrides(overrides):
    return overrides | {"upstreams.pypi.freshness": "0s"}


async def yanked(pinfold, project):
    page = await pinfold.get(f"/simple/{project}/", Accept=JSON)
    return [file["yanked"] for file in json.loads(page.body)["files"]]


async def test_a_young_look_alike_is_refused_on_the_page_and_at_the_file(pinfold, upstream):
    squat = upstream.add_file("reqeusts", "2.32.3", upload_time=MONTH_AGO)
    (told,) = await yanked(pinfold, "reqeusts")
    assert "quarantined by look-alike: nobody used reqeusts here before; it is one letter away from requests" in told
    answer = await pinfold.get(address(squat))
    assert (answer.status, "look-alike" in answer.reason) == (403, True)


async def test_an_established_neighbour_and_the_name_itself_are_served(pinfold, upstream):
    for project in ("requests", "requestz"):
        for version in ("1.0", "2.0", "3.0"):
            file = upstream.add_file(project, version)
        assert await yanked(pinfold, project) == [False] * 3
        assert (await pinfold.get(address(file))).status == 200


async def test_what_is_in_use_here_has_look_alikes_too(pinfold, upstream):
    ours = upstream.add_file("widget-tools", "1.0")
    squat = upstream.add_file("widget-tool", "1.0", upload_time=MONTH_AGO)
    assert await yanked(pinfold, "widget-tool") == [False]
    assert (await pinfold.get(address(ours))).status == 200
    await asyncio.sleep(0.3)
    answer = await pinfold.get(address(squat))
    assert answer.status == 403
    assert "one letter away from widget-tools, which is in use here, and has 1 release only" in answer.reason


async def test_whoever_waives_the_rule_once_makes_the_name_known(pinfold, upstream):
    fork = upstream.add_file("reqeusts", "1.0", upload_time=MONTH_AGO)
    assert (await pinfold.get(address(fork))).status == 403
    waive = Waive(pinfold.installation.records, pinfold.installation.clock)
    until = datetime.now(UTC) + timedelta(hours=1)
    waiver = await waive.add(parse_target("reqeusts"), "look-alike", "our own fork", until, Actor("somebody"))
    assert (await pinfold.get(address(fork))).status == 200
    await waive.revoke(waiver.id, Actor("somebody"))
    await asyncio.sleep(0.3)
    assert (await pinfold.get(address(fork))).status == 200


async def test_what_a_laxer_index_serves_opens_no_other(upstream, overrides, tmp_path):
    squat = upstream.add_file("reqeusts", "1.0", upload_time=MONTH_AGO)
    (tmp_path / "lax.toml").write_text('name = "lax"\n[[rule]]\nid = "quarantined"\n')
    overrides |= {"indexes.main.policy": "baseline", "indexes.lax.policy": str(tmp_path / "lax.toml")}
    async with in_process(tmp_path / "data", overrides) as pinfold:
        assert (await pinfold.get(address(squat))).status == 403
        assert (await pinfold.get(address(squat, "lax"))).status == 200
        await asyncio.sleep(0.3)
        answer = await pinfold.get(address(squat))
        assert (answer.status, "look-alike" in answer.reason) == (403, True)


async def test_names_of_this_organisation_are_nobodys_look_alikes(upstream, tmp_path):
    upstream.add_file("requestz", "1.0", upload_time=MONTH_AGO)
    overrides = {
        "upstreams.pypi.url": "https://index.example/simple/",
        "upstreams.ours.url": upstream.url,
        "upstreams.ours.private": True,
        "indexes.main.upstreams": ["ours"],
    }
    async with in_process(tmp_path / "data", overrides) as pinfold:
        assert await yanked(pinfold, "requestz") == [False]


@pytest.mark.parametrize("installer", [Pip, Uv], ids=lambda client: client.name)
def test_people_are_told_which_name_they_may_have_meant(installer, tmp_path):
    with running_upstream() as upstream:
        upstream.add_file("python3-dateutil", "2.9.0", upload_time=MONTH_AGO)
        with PinfoldServer(tmp_path / "pinfold", f'[upstreams.pypi]\nurl = "{upstream.url}"\n') as server:
            outcome = installer(tmp_path / "client").install(server.simple(), "python3-dateutil==2.9.0")
    assert outcome.status != 0
    assert "it is another form of python-dateutil, which is in everyday use" in " ".join(outcome.output.split())


async def test_names_in_use_are_taken_in_before_anybody_asks(tmp_path, overrides, upstream, monkeypatch):
    ours = upstream.add_file("widget-tools", "1.0")
    upstream.add_file("widget-tool", "1.0", upload_time=MONTH_AGO)
    async with in_process(tmp_path / "data", overrides) as pinfold:
        assert (await pinfold.get(address(ours))).status == 200
    monkeypatch.setattr(known_names, "MANY", 0)
    async with in_process(tmp_path / "data", overrides) as pinfold:
        await pinfold.installation.warm_up()
        monkeypatch.setattr(known_names, "NameIndex", Mock(side_effect=AssertionError("laid out again")))
        (told,) = await yanked(pinfold, "widget-tool")
        assert "it is one letter away from widget-tools" in told
