"""Incidents, replayed: harmless archives of their shape, real pip and uv, and one rule of baseline at a time.

What the README's table says of an hour after the upload is what both installers then meet.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from packaging.version import Version
from tests.bench import incident_table
from tests.e2e.clients import Pip, Uv
from tests.e2e.server import PinfoldServer
from tests.fakes.sigstore import GitHubIdentity, LocalSigstore
from tests.fakes.upstream import FakeFile, FakeUpstream, running_upstream

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
BASELINE = Path(__file__).parents[2] / "policies" / "baseline.toml"
CONFIG = """
[upstreams.pypi]
url = "{upstream}"
freshness = "0s"
[upstreams.ours]
url = "{ours}"
private = true
[feeds.osv]
source = "{feed}"
[sigstore]
trusted_root = "{root}"
[indexes.main]
upstreams = ["ours", "pypi"]
private = ["torchtriton"]
"""
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


THEIRS = GitHubIdentity("ultralytics/ultralytics", "publish.yml")


@dataclass(frozen=True)
class Replay:
    """A project with a good release and a bad one, which stands for a row of the table."""

    row: str
    """How the row's title begins."""
    project: str
    good: str
    bad: str
    before: Mapping[str, bytes] = field(hash=False)
    after: Mapping[str, bytes] = field(hash=False)
    told: str = ""
    """What `contents` says of the bad one, where it refuses it."""
    attested: tuple[bool, bool] = (False, False)

    @property
    def incident(self) -> incident_table.Incident:
        """The row."""
        (found,) = (each for each in incident_table.INCIDENTS if each.title.startswith(self.row))
        return found

    def __str__(self) -> str:
        return f"{self.project}-{self.bad}"


PROXY, CLIENT = "litellm/proxy/proxy_server.py", "telnyx/_client.py"
REPLAYS = [
    Replay(
        "litellm 1.82.8",
        "litellm",
        "1.82.6",
        "1.82.8",
        {PROXY: HARMLESS},
        {PROXY: HARMLESS, "litellm_init.pth": HOOK},
        "new-start-up-hook: litellm_init.pth line 1",
    ),
    Replay(
        "litellm 1.82.7",
        "litellm",
        "1.82.6",
        "1.82.7",
        {PROXY: HARMLESS},
        {PROXY: HIDDEN},
        "new-opaque-code: litellm/proxy/proxy_server.py line",
    ),
    Replay(
        "telnyx 4.87.1",
        "telnyx",
        "4.87.0",
        "4.87.1",
        {CLIENT: HARMLESS},
        {CLIENT: PLAIN + b"SECOND_STAGE = 'ringtone.wav'\n", "telnyx/ringtone.wav": b"RIFF" + bytes(2000)},
    ),
    Replay(
        "ultralytics 8.3.41",
        "ultralytics",
        "8.3.40",
        "8.3.41",
        {"ultralytics/utils/downloads.py": HARMLESS},
        {"ultralytics/utils/downloads.py": PLAIN},
        attested=(True, True),
    ),
    Replay(
        "ultralytics 8.3.45",
        "ultralytics",
        "8.3.44",
        "8.3.45",
        {"ultralytics/utils/downloads.py": HARMLESS},
        {"ultralytics/utils/downloads.py": PLAIN},
        attested=(True, False),
    ),
    Replay(
        "dydx-v4-client 1.1.5.post1",
        "dydx-v4-client",
        "1.1.5",
        "1.1.5.post1",
        {"dydx_v4_client/account.py": HARMLESS},
        {"dydx_v4_client/account.py": PLAIN},
    ),
    Replay(
        "torchtriton", "torchtriton", "2.0.0", "3.0.0", {"triton/runtime.py": HARMLESS}, {"triton/runtime.py": PLAIN}
    ),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two indexes with all that was uploaded, good releases where they belong, and a Pinfold in front."""
    folder = tmp_path_factory.mktemp("incidents")
    sigstore = LocalSigstore(folder)
    (feed := folder / "feed").mkdir()
    (feed / "MAL-2020-0001.json").write_text(a_record("MAL-2020-0001", "other", "1.0"))
    with running_upstream() as upstream, running_upstream() as ours:
        bad = {}
        for replay in REPLAYS:
            home = ours if replay.project == "torchtriton" else upstream
            upload(
                home,
                sigstore,
                replay.project,
                replay.good,
                timedelta(days=20),
                replay.before,
                attested=replay.attested[0],
            )
            bad[replay] = upload(
                upstream, sigstore, replay.project, replay.bad, HOUR, replay.after, attested=replay.attested[1]
            )
        config = CONFIG.format(upstream=upstream.url, ours=ours.url, feed=feed, root=sigstore.trusted_root_path)
        rules = re.split(r"^(?=\[\[rule\]\])", BASELINE.read_text(), flags=re.MULTILINE)
        for rule in incident_table.RULES:
            (document,) = (each for each in rules if f'id = "{rule}"\n' in each)
            (folder / f"{rule}.toml").write_text(document)
            config += f'[indexes.{rule}]\npolicy = "{folder / rule}.toml"\n'
            # The name is reserved where the rule about names is asked; to the others it is a project like any other.
            config += 'upstreams = ["ours", "pypi"]\nprivate = ["torchtriton"]\n' if rule == "private-name" else ""
        with PinfoldServer(folder / "pinfold", config) as server:
            server.run("feed", "sync")
            yield World(server, upstream, feed, bad)


@dataclass(frozen=True)
class World:
    """What the replays take place in."""

    server: PinfoldServer
    upstream: FakeUpstream
    feed: Path
    bad: Mapping[Replay, FakeFile]


def upload(upstream, sigstore, project, version, age, files, *, attested):
    at = NOW - age
    file = upstream.add_file(project, version, upload_time=at, files=dict(files))
    if attested:
        attestation = sigstore.attest(file.filename, file.sha256, THEIRS, at=at - timedelta(minutes=1))
        file.provenance = json.dumps(sigstore.provenance([attestation], THEIRS.publisher())).encode()
    return file


def a_record(record_id, project, version):
    return json.dumps(
        {
            "id": record_id,
            "modified": (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "affected": [{"package": {"ecosystem": "PyPI", "name": project}, "versions": [version]}],
        }
    )


def test_every_row_of_the_table_is_replayed():
    assert {replay.incident for replay in REPLAYS} == set(incident_table.INCIDENTS)


@pytest.mark.parametrize("replay", REPLAYS, ids=str)
def test_an_hour_after_the_upload_each_rule_alone_does_what_the_table_says(replay, world, tmp_path):
    requirement = f"{replay.project}=={replay.bad}"
    for rule in incident_table.RULES:
        pinned = Uv(tmp_path / rule).install(world.server.simple(rule), requirement)
        if not incident_table.holds(replay.incident, rule, HOUR):
            assert pinned.installed == {replay.project: replay.bad}, f"{rule}: {pinned}"
            continue
        assert not pinned.installed, f"{rule}: {pinned}"
        # A reserved name is not even asked for where it does not belong.
        if rule != "private-name":
            assert f"quarantined by {rule}: {replay.told if rule == 'contents' else ''}" in told(pinned)


@pytest.mark.parametrize("client", [Pip, Uv], ids=lambda client: client.name)
@pytest.mark.parametrize("replay", REPLAYS, ids=str)
def test_under_baseline_who_pins_it_is_refused_and_who_pins_nothing_goes_on(replay, client, world, tmp_path):
    assert incident_table.holds(replay.incident, None, HOUR)
    pinned = client(tmp_path / "pinned").install(world.server.simple(), f"{replay.project}=={replay.bad}")
    assert not pinned.installed, str(pinned)
    unpinned = client(tmp_path / "unpinned").install(world.server.simple(), replay.project)
    newest = max((each.good for each in REPLAYS if each.project == replay.project), key=Version)
    assert unpinned.installed == {replay.project: newest}, str(unpinned)


def test_a_reserved_name_is_never_asked_of_the_public(world, tmp_path):
    replay = next(replay for replay in REPLAYS if replay.project == "torchtriton")
    before = len(world.upstream.requests)
    Pip(tmp_path / "pip").install(world.server.simple(), f"{replay.project}=={replay.bad}")
    assert [each.path for each in world.upstream.requests[before:] if replay.project in each.path] == []


# Further releases, so that the replays of the first are left alone.


def test_removal_refuses_from_then_on(world, tmp_path):
    bad = world.upstream.add_file("telnyx", "4.87.2", upload_time=NOW - HOUR, files={CLIENT: PLAIN})
    before = Pip(tmp_path / "before").install(world.server.simple("vanished"), "telnyx==4.87.2")
    assert before.installed == {"telnyx": "4.87.2"}, str(before)
    world.upstream.remove_file(bad)
    pinned = Pip(tmp_path / "pinned").install(world.server.simple("vanished"), "telnyx==4.87.2")
    assert "quarantined by vanished: the upstream took it away again" in told(pinned), str(pinned)


def test_a_feed_refuses_from_the_moment_at_which_it_knows(world, tmp_path):
    world.upstream.add_file("telnyx", "4.87.3", upload_time=NOW - HOUR, files={CLIENT: PLAIN})
    before = Pip(tmp_path / "before").install(world.server.simple("known-malware"), "telnyx==4.87.3")
    assert before.installed == {"telnyx": "4.87.3"}, str(before)
    (world.feed / "MAL-2026-0001.json").write_text(a_record("MAL-2026-0001", "telnyx", "4.87.3"))
    world.server.run("feed", "sync")
    pinned = Pip(tmp_path / "pinned").install(world.server.simple("known-malware"), "telnyx==4.87.3")
    assert "quarantined by known-malware: MAL-2026-0001 names 4.87.3 as malware" in told(pinned), str(pinned)


def told(outcome):
    return " ".join(outcome.output.split())
