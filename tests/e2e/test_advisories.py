"""What a build gets when a feed names a release, while it does, and after: real pip against a running Pinfold."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.server import PinfoldServer
from tests.fakes.osv import a_record, hashed, running_osv
from tests.fakes.upstream import running_upstream

CONFIG = """
[server]
workers = {workers}
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[upstreams.ours]
url = "{ours}"
private = true
[indexes.ours]
upstreams = ["ours"]
private = ["*"]
[feeds.osv]
source = "{source}"
interval = "15m"
"""
MONTHS_AGO = datetime.now(UTC) - timedelta(days=100)


@pytest.fixture
def upstream():
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def osv():
    with running_osv() as osv:
        osv.put(a_record("MAL-2020-1", "other"))
        yield osv


@pytest.fixture
def server(upstream, osv, tmp_path):
    with running_upstream() as ours:
        ours.add_file("litellm", "1.82.8", upload_time=MONTHS_AGO)
        config = CONFIG.format(url=upstream.url, ours=ours.url, source=osv.source, workers=1)
        server = PinfoldServer(tmp_path / "pinfold", config)
        server.run("feed", "sync")
        with server:
            yield server


@pytest.fixture
def incident(upstream):
    """LiteLLM's releases of March 2026, long of age: only an advisory can tell them apart."""
    hook = {"litellm_init.pth": b"# in the incident, this line ran at every start of the interpreter\n"}
    return {
        version: upstream.add_file("litellm", version, upload_time=MONTHS_AGO, files=files)
        for version, files in {"1.82.6": None, "1.82.7": None, "1.82.8": hook}.items()
    }


def told(outcome) -> str:
    return " ".join(outcome.output.split())


@pytest.mark.parametrize("installer", [Pip, Uv], ids=lambda client: client.name)
def test_litellm_from_the_moment_the_feed_knows_until_the_record_is_withdrawn(
    installer, server, incident, osv, tmp_path
):
    before = installer(tmp_path / "before").install(server.simple(), "litellm==1.82.8")
    assert before.installed == {"litellm": "1.82.8"}, str(before)
    osv.put(a_record("MAL-2026-2144", "LiteLLM", versions=["1.82.7", "1.82.8"]))
    server.run("feed", "sync")
    time.sleep(0.5)
    pinned = installer(tmp_path / "pinned").install(server.simple(), "litellm==1.82.8")
    assert pinned.status != 0, str(pinned)
    expected = "quarantined by known-malware: MAL-2026-2144 names 1.82.8 as malware; last good 1.82.6; ref D-"
    assert expected in told(pinned), str(pinned)
    unpinned = installer(tmp_path / "unpinned").install(server.simple(), "litellm")
    assert unpinned.installed == {"litellm": "1.82.6"}, str(unpinned)
    osv.withdraw("MAL-2026-2144")
    server.run("feed", "sync")
    time.sleep(0.5)
    after = installer(tmp_path / "after").install(server.simple(), "litellm==1.82.8")
    assert after.installed == {"litellm": "1.82.8"}, str(after)


def test_bytes_that_a_record_names_are_denied(server, incident, osv, tmp_path):
    digests = hashed(incident["1.82.8"].sha256)
    osv.put(a_record("MAL-2026-2144", versions=["1.82.8"], database_specific_of_affected=digests))
    server.run("feed", "sync")
    time.sleep(0.5)
    outcome = Pip(tmp_path / "client").install(server.simple(), "litellm==1.82.8")
    assert "denied by known-malware: MAL-2026-2144 names these very bytes as malware" in told(outcome), str(outcome)


def test_a_private_namesake_is_not_meant(server, incident, osv, tmp_path):
    osv.put(a_record("MAL-2026-2144", versions=["1.82.8"]))
    server.run("feed", "sync")
    time.sleep(0.5)
    assert Pip(tmp_path / "public").install(server.simple(), "litellm==1.82.8").status != 0
    ours = Pip(tmp_path / "ours").install(server.simple("ours"), "litellm==1.82.8")
    assert ours.installed == {"litellm": "1.82.8"}, str(ours)


def test_the_false_alarm_about_fastapi_holds_for_as_long_as_it_is_open(server, upstream, osv, tmp_path):
    upstream.add_file("fastapi", "0.136.3", upload_time=MONTHS_AGO)
    osv.put(a_record("MAL-2026-4750", "fastapi", versions=["0.136.3"]))
    server.run("feed", "sync")
    time.sleep(0.5)
    held = Pip(tmp_path / "held").install(server.simple(), "fastapi==0.136.3")
    assert "quarantined by known-malware: MAL-2026-4750" in told(held), str(held)
    osv.withdraw("MAL-2026-4750")
    server.run("feed", "sync")
    time.sleep(0.5)
    assert Pip(tmp_path / "free").install(server.simple(), "fastapi").installed == {"fastapi": "0.136.3"}


def test_guardrails_ai_before_its_malware_is_served(server, upstream, osv, tmp_path):
    upstream.add_file("guardrails-ai", "0.10.0", upload_time=MONTHS_AGO)
    upstream.add_file("guardrails-ai", "0.10.1", upload_time=MONTHS_AGO)
    everything = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    osv.put(a_record("MAL-2026-3607", "guardrails-ai", versions=["0.10.1"]))
    aliases = {"aliases": ["MAL-2026-3607"]}
    osv.put(a_record("PYSEC-2026-206", "guardrails-ai", versions=["0.1.0", "0.10.0"], ranges=everything, **aliases))
    server.run("feed", "sync")
    time.sleep(0.5)
    outcome = Pip(tmp_path / "client").install(server.simple(), "guardrails-ai")
    assert outcome.installed == {"guardrails-ai": "0.10.0"}, str(outcome)
    explained = json.loads(server.run("explain", "guardrails-ai==0.10.0", "--json"))
    (file,) = explained["releases"][0]["files"]
    assert (file["effect"], file["refused"]) == ("warn", False)
    advisories = file["evidence"]["advisories"]["known"]
    assert [hit["credit"] for hit in advisories["hits"]] == ["PyPA Advisory Database, CC-BY 4.0"]
    assert len(advisories["snapshots"][0]["sha256"]) == 64
    assert "CC-BY 4.0" in server.run("explain", "guardrails_ai-0.10.0-py3-none-any.whl")


def test_a_security_release_does_not_wait(server, upstream, osv, tmp_path):
    now = datetime.now(UTC)
    upstream.add_file("widget", "1.0", upload_time=MONTHS_AGO)
    upstream.add_file("widget", "1.1", upload_time=now - timedelta(hours=1))
    assert Pip(tmp_path / "before").install(server.simple(), "widget").installed == {"widget": "1.0"}
    fixed = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
    osv.put(a_record("PYSEC-2026-7", "widget", versions=["1.0"], ranges=fixed))
    server.run("feed", "sync")
    time.sleep(0.5)
    outcome = Pip(tmp_path / "after").install(server.simple(), "widget")
    assert outcome.installed == {"widget": "1.1"}, str(outcome)


def test_a_server_loads_the_feed_by_itself_and_all_its_workers_see_it(upstream, osv, incident, tmp_path):
    osv.put(a_record("MAL-2026-2144", versions=["1.82.8"]))
    config = CONFIG.format(url=upstream.url, ours=upstream.url, source=osv.source, workers=2)
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        deadline = time.monotonic() + 20
        while not _is_loaded(server):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(0.5)
        for number in range(4):
            outcome = Pip(tmp_path / f"client-{number}").install(server.simple(), "litellm==1.82.8")
            assert "MAL-2026-2144" in told(outcome), str(outcome)
    assert osv.paths().count("all.zip") == 1


def _is_loaded(server) -> bool:
    return "advisory feed osv: 2 records" in server.log.read_text()
