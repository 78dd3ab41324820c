"""Incidents, replayed: harmless archives of their shape, real pip and uv, and one rule at a time."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.server import PinfoldServer

NOW = datetime.now(UTC)
CONFIG = """
[upstreams.pypi]
url = "{upstream}"
freshness = "0s"
[feeds.osv]
source = "{feed}"
"""
RULES = {
    "minimum-age": "{ days = 3 }",
    "contents": "{ vetted_days = 30 }",
    "known-malware": "{ }",
    "vanished": "{ days = 30 }",
}
HARMLESS = b"HARMLESS = True\n"
BLOB = base64.b64encode(HARMLESS * 400)
HOOK = b"import base64; exec(base64.b64decode('" + BLOB + b"'))\n"
HIDDEN = b"import base64\n\nPAYLOAD = '" + BLOB + b"'\nexec(base64.b64decode(PAYLOAD))\n"
PLAIN = b"""
import subprocess
import urllib.request

def fetch(address, target):
    urllib.request.urlretrieve(address, target)
    subprocess.run([target], check=False)
"""


@dataclass(frozen=True)
class Incident:
    """A project with a good release and a bad one, and which rules refuse the bad one an hour after its upload."""

    project: str
    good: str
    bad: str
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    refused_by: frozenset[str] = frozenset({"minimum-age"})
    told: str = ""


INCIDENTS = [
    Incident(
        "litellm",
        "1.82.6",
        "1.82.8",
        {"litellm/proxy/proxy_server.py": HARMLESS},
        {"litellm/proxy/proxy_server.py": HARMLESS, "litellm_init.pth": HOOK},
        frozenset({"minimum-age", "contents"}),
        "new-start-up-hook: litellm_init.pth line 1",
    ),
    Incident(
        "litellm",
        "1.82.6",
        "1.82.7",
        {"litellm/proxy/proxy_server.py": HARMLESS},
        {"litellm/proxy/proxy_server.py": HIDDEN},
        frozenset({"minimum-age", "contents"}),
        "new-opaque-code: litellm/proxy/proxy_server.py line",
    ),
    Incident(
        "telnyx",
        "4.87.0",
        "4.87.1",
        {"telnyx/_client.py": HARMLESS},
        {"telnyx/_client.py": PLAIN + b"SECOND_STAGE = 'ringtone.wav'\n"},
    ),
    Incident(
        "ultralytics",
        "8.3.40",
        "8.3.41",
        {"ultralytics/utils/downloads.py": HARMLESS},
        {"ultralytics/utils/downloads.py": PLAIN},
    ),
]


@pytest.fixture
def feed(tmp_path):
    folder = tmp_path / "feed"
    folder.mkdir()
    return folder


@pytest.fixture
def server(upstream, feed, tmp_path):
    config = CONFIG.format(upstream=upstream.url, feed=feed)
    for rule, params in RULES.items():
        (tmp_path / f"{rule}.toml").write_text(f'[[rule]]\nid = "{rule}"\nparams = {params}\n')
        config += f'[indexes.{rule}]\npolicy = "{tmp_path / rule}.toml"\n'
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        yield server


def uploaded(upstream, incident):
    upstream.add_file(incident.project, incident.good, upload_time=NOW - timedelta(days=60), files=incident.before)
    return upstream.add_file(incident.project, incident.bad, upload_time=NOW - timedelta(hours=1), files=incident.after)


@pytest.mark.parametrize("client", [Pip, Uv], ids=lambda client: client.name)
@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: f"{incident.project}-{incident.bad}")
def test_an_hour_after_the_upload_each_rule_alone_does_what_it_can_and_no_more(
    incident, client, server, upstream, tmp_path
):
    uploaded(upstream, incident)
    for rule in RULES:
        pinned = client(tmp_path / rule).install(server.simple(rule), f"{incident.project}=={incident.bad}")
        if rule in incident.refused_by:
            assert not pinned.installed, f"{rule}: {pinned}"
            assert f"quarantined by {rule}: {incident.told if rule == 'contents' else ''}" in told(pinned)
        else:
            assert pinned.installed == {incident.project: incident.bad}, f"{rule}: {pinned}"


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: f"{incident.project}-{incident.bad}")
def test_who_pins_nothing_goes_on_with_the_good_release_under_baseline(incident, server, upstream, tmp_path):
    uploaded(upstream, incident)
    for client in (Pip, Uv):
        outcome = client(tmp_path / client.name).install(server.simple(), incident.project)
        assert outcome.installed == {incident.project: incident.good}, str(outcome)


def test_removal_refuses_from_then_on(server, upstream, tmp_path):
    incident = INCIDENTS[2]
    bad = uploaded(upstream, incident)
    before = Pip(tmp_path / "before").install(server.simple("vanished"), incident.project)
    assert before.installed == {incident.project: incident.bad}, str(before)
    upstream.remove_file(bad)
    requirement = f"{incident.project}=={incident.bad}"
    pinned = Pip(tmp_path / "pinned").install(server.simple("vanished"), requirement)
    assert "quarantined by vanished: the upstream took it away again" in told(pinned), str(pinned)


def test_a_feed_refuses_from_the_moment_at_which_it_knows(server, upstream, feed, tmp_path):
    incident = INCIDENTS[2]
    bad = uploaded(upstream, incident)
    record = {
        "id": "MAL-2026-0001",
        "modified": (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "affected": [{"package": {"ecosystem": "PyPI", "name": incident.project}, "versions": [bad.version]}],
    }
    (feed / "MAL-2026-0001.json").write_text(json.dumps(record))
    server.run("feed", "sync")
    requirement = f"{incident.project}=={incident.bad}"
    pinned = Pip(tmp_path / "pinned").install(server.simple("known-malware"), requirement)
    assert "quarantined by known-malware: MAL-2026-0001 names 4.87.1 as malware" in told(pinned), str(pinned)


def told(outcome):
    return " ".join(outcome.output.split())
