"""Provenance at work: what real pip gets, and what it is told, when attestations are missing, forged or another's."""

import hashlib
import json
import re
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import Pip
from tests.e2e.server import PinfoldServer
from tests.fakes.sigstore import Break, GitHubIdentity, LocalSigstore, tuf

WIDGETS = GitHubIdentity("example/widget", "publish.yml")
THIEF = GitHubIdentity("thief/widget", "publish.yml", repository_id="666", owner_id="666")
NOW = datetime.now(UTC)
CONFIG = """
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[sigstore]
trusted_root = "{root}"
[indexes.pinned]
policy = "{policy}"
"""
POLICY = """
[[rule]]
id = "provenance"
match = { projects = ["widget"] }
[[rule.params.publishers]]
kind = "GitHub"
repository = "Example/Widget"
workflow = "publish.yml"
"""


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory):
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture
def config(upstream, sigstore, tmp_path):
    (tmp_path / "pinned.toml").write_text(POLICY)
    return CONFIG.format(url=upstream.url, root=sigstore.trusted_root_path, policy=tmp_path / "pinned.toml")


@pytest.fixture
def release(upstream, sigstore):
    """Upload a release of a project, attested by an identity unless that is None."""

    def release(version, by=WIDGETS, *, days=5, project="widget", broken=(), sha256=None):
        uploaded = NOW - timedelta(days=days)
        file = upstream.add_file(project, version, upload_time=uploaded)
        if by is not None:
            attestation = sigstore.attest(
                file.filename, sha256 or file.sha256, by, at=uploaded - timedelta(minutes=1), broken=broken
            )
            file.provenance = json.dumps(sigstore.provenance([attestation], by.publisher())).encode()
        return file

    return release


def told(outcome):
    return " ".join(outcome.output.split())


def refused(pip, server, requirement, index="main"):
    """Return what pip prints of a requirement that it does not get."""
    outcome = pip.install(server.simple(index), requirement)
    assert outcome.status != 0, str(outcome)
    assert not outcome.installed, str(outcome)
    return told(outcome)


def downloads(upstream, file):
    return len(upstream.requests_for(file)) + len(upstream.requests_for(file.metadata_path))


def test_the_pinned_publisher_installs_and_another_is_refused_with_the_reason(server, release, tmp_path):
    release("1.0")
    release("1.1", THIEF)
    release("2.0", project="other", by=None)
    good = Pip(tmp_path / "good").install(server.simple("pinned"), "widget==1.0", "other")
    assert good.installed == {"widget": "1.0", "other": "2.0"}, str(good)
    assert (
        "pinfold: quarantined by provenance: published by GitHub thief/widget (publish.yml), "
        "needs GitHub Example/Widget (publish.yml); last good 1.0; ref D-"
    ) in refused(Pip(tmp_path / "bad"), server, "widget==1.1", "pinned")


def test_a_file_that_must_be_attested_and_is_not_is_refused_on_its_page_already(server, release, upstream, tmp_path):
    release("1.0")
    bare = release("1.1", None)
    unpinned = Pip(tmp_path / "unpinned").install(server.simple("pinned"), "widget")
    assert unpinned.installed == {"widget": "1.0"}, str(unpinned)
    why = "quarantined by provenance: not attested, needs GitHub Example/Widget (publish.yml)"
    assert why in refused(Pip(tmp_path / "pinned"), server, "widget==1.1", "pinned")
    assert downloads(upstream, bare) == 0


@pytest.mark.parametrize("broken", [Break.SIGNATURE, Break.CHAIN, Break.CHECKPOINT], ids=lambda each: each.name)
def test_forged_provenance_is_refused_before_a_byte_of_the_file_is_fetched(broken, server, release, upstream, tmp_path):
    file = release("1.0", broken={broken})
    assert "quarantined by provenance-downgrade: its provenance is not valid: " in refused(
        Pip(tmp_path / "pip"), server, "widget==1.0"
    )
    assert downloads(upstream, file) == 0


def test_the_provenance_of_other_bytes_is_refused(server, release, tmp_path):
    release("1.0", sha256="0" * 64)
    assert "its provenance is not valid: the statement is about other bytes than the file's" in refused(
        Pip(tmp_path / "pip"), server, "widget==1.0"
    )


@pytest.mark.parametrize(
    "document",
    [b"", b"not json", b"[]", b"null", b'{"version": 1, "attestation_bundles": 5}', b"[" * 200_000, b"\xff" * 1000],
    ids=["empty", "text", "list", "null", "types", "deep", "binary"],
)
def test_what_is_no_provenance_is_refused_without_a_word_of_what_broke(document, server, release, tmp_path):
    file = release("1.0")
    file.provenance = document
    printed = refused(Pip(tmp_path / "pip"), server, "widget==1.0")
    assert "quarantined by provenance-downgrade: its provenance is not valid: " in printed
    for leak in ("Traceback", "DecodeError", "ValidationError", "msgspec", "sigstore", ".py"):
        assert leak not in printed


def test_a_lost_attestation_is_quarantined_and_the_release_before_installed(server, release, tmp_path):
    """The second wave of ultralytics: a leftover token, and files that nobody vouches for."""
    release("8.3.41", days=10)
    release("8.3.44", days=9)
    release("8.3.45", None, days=5)
    unpinned = Pip(tmp_path / "unpinned").install(server.simple(), "widget")
    assert unpinned.installed == {"widget": "8.3.44"}, str(unpinned)
    assert (
        "pinfold: quarantined by provenance-downgrade: not attested, unlike its release line since 8.3.41; "
        "last good 8.3.44; ref D-"
    ) in refused(Pip(tmp_path / "pinned"), server, "widget==8.3.45")


def test_a_new_publisher_is_held_until_somebody_accepts_it(server, release, tmp_path):
    release("1.0", days=40)
    release("1.1", THIEF)
    assert (
        "quarantined by provenance-downgrade: published by GitHub thief/widget (publish.yml), "
        "but 1.0 by GitHub example/widget (publish.yml): to be reviewed; last good 1.0; ref D-"
    ) in refused(Pip(tmp_path / "before"), server, "widget==1.1")
    server.run("publishers", "accept", "widget==1.1", "--reason", "moved, says the changelog")
    time.sleep(1)
    after = Pip(tmp_path / "after").install(server.simple(), "widget==1.1")
    assert after.installed == {"widget": "1.1"}, str(after)


def test_a_pin_joins_the_policy_within_a_second_and_ends_when_it_is_revoked(server, release, tmp_path):
    release("1.0", THIEF)
    pinned = json.loads(
        server.run(
            *("publishers", "pin", "widget", "--repository", "example/widget", "--reason", "it is theirs", "--json")
        )
    )
    time.sleep(1)
    assert "denied by provenance: published by GitHub thief/widget (publish.yml), needs GitHub example/widget" in (
        refused(Pip(tmp_path / "pinned"), server, "widget==1.0")
    )
    server.run("publishers", "revoke", pinned["id"])
    time.sleep(1)
    freed = Pip(tmp_path / "freed").install(server.simple(), "widget==1.0")
    assert freed.installed == {"widget": "1.0"}, str(freed)
    entries = server.audited("--reference", pinned["id"], "--oldest-first")
    assert [entry["action"] for entry in entries] == ["publisher.pin", "publisher.revoke"]


def test_what_is_verified_once_is_not_fetched_again(server, release, upstream, tmp_path):
    file = release("1.0")
    for name in ("first", "second"):
        assert Pip(tmp_path / name).install(server.simple(), "widget").installed == {"widget": "1.0"}
    server.stop()
    server.start()
    assert Pip(tmp_path / "third").install(server.simple(), "widget").installed == {"widget": "1.0"}
    assert len(upstream.requests_for(file.provenance_path)) == 1


def test_a_trust_root_that_is_refreshed_comes_into_force_while_the_server_runs(upstream, sigstore, release, tmp_path):
    """The packaged root knows nothing of the local sigstore; a TUF repository hands out the one that does, and later
    a newer one, and then lets its metadata expire."""
    remote = tuf.TufRepository(tmp_path / "remote")
    release("1.0")
    (tmp_path / "pinned.toml").write_text(POLICY)
    with tuf.served(remote.folder) as url:
        config = (
            f'[upstreams.pypi]\nurl = "{upstream.url}"\nfreshness = "0s"\n'
            f'[sigstore]\nrefresh = "1s"\ntuf_url = "{url}"\ntuf_root = "{remote.root_path}"\n'
            f'[indexes.pinned]\npolicy = "{tmp_path / "pinned.toml"}"\n'
        )
        with PinfoldServer(tmp_path / "pinfold", config) as server:
            assert "quarantined by provenance: its provenance is not valid" in refused(
                Pip(tmp_path / "before"), server, "widget==1.0", "pinned"
            )
            remote.publish(sigstore.trusted_root_path.read_bytes())
            in_force(server, sigstore.trusted_root_path.read_bytes())
            after = Pip(tmp_path / "after").install(server.simple("pinned"), "widget==1.0")
            assert after.installed == {"widget": "1.0"}, str(after)
            doctor = server.run("doctor")
            assert re.search(r"ok +trust root +.*/trust/trusted_root.json, sha256 .*, confirmed ", doctor), doctor
            remote.publish(b"{}", lasts=-timedelta(days=1))
            deadline = time.monotonic() + 20
            while "ExpiredMetadataError" not in (doctor := server.run("doctor")) and time.monotonic() < deadline:
                time.sleep(0.5)
            assert re.search(r"warn +trust root +.*since then: .*ExpiredMetadataError", doctor), doctor
            kept = Pip(tmp_path / "kept").install(server.simple("pinned"), "widget==1.0")
            assert kept.installed == {"widget": "1.0"}, str(kept)
            explained = json.loads(server.run("explain", "widget==1.0", "--index", "pinned", "--json"))
            (file,) = explained["releases"][0]["files"]
            root = hashlib.sha256(sigstore.trusted_root_path.read_bytes()).hexdigest()
            assert file["evidence"]["trust_root"]["sha256"] == root


def in_force(server, root):
    """Wait until a trust root is what provenance is verified with."""
    expected = f'pinfold_trust_root_info{{sha256="{hashlib.sha256(root).hexdigest()}"}} 1.0'
    deadline = time.monotonic() + 30
    while expected not in (metrics := urllib.request.urlopen(f"{server.url}/metrics", timeout=10).read().decode()):
        assert time.monotonic() < deadline, metrics
        time.sleep(0.1)
