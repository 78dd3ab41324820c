"""Provenance at work: what real pip gets, and what it is told, when attestations are missing, forged or another's."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import Pip
from tests.e2e.server import PinfoldServer
from tests.fakes.sigstore import GitHubIdentity, LocalSigstore

WIDGETS = GitHubIdentity("example/widget", "publish.yml")
THIEF = GitHubIdentity("thief/widget", "publish.yml", repository_id="666", owner_id="666")
NOW = datetime.now(UTC)
CONFIG = """
[upstreams.pypi]
url = "{upstream}"
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
def server(upstream, sigstore, tmp_path):
    (tmp_path / "pinned.toml").write_text(POLICY)
    config = CONFIG.format(url=upstream.url, upstream=upstream.url, root=sigstore.trusted_root_path, policy="{policy}")
    config = config.replace("{policy}", str(tmp_path / "pinned.toml"))
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        yield server


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


def test_the_pinned_publisher_installs_and_another_is_refused_with_the_reason(server, release, tmp_path):
    release("1.0")
    release("1.1", THIEF)
    release("2.0", project="other", by=None)
    good = Pip(tmp_path / "good").install(server.simple("pinned"), "widget==1.0", "other")
    assert good.installed == {"widget": "1.0", "other": "2.0"}, str(good)
    bad = Pip(tmp_path / "bad").install(server.simple("pinned"), "widget==1.1")
    assert bad.status != 0, str(bad)
    assert (
        "pinfold: quarantined by provenance: published by GitHub thief/widget (publish.yml), "
        "needs GitHub Example/Widget (publish.yml); last good 1.0; ref D-"
    ) in told(bad), str(bad)
