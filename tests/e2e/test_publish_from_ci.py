"""Workflows publish without any stored secret, and pip and uv install what they published."""

import json
import urllib.request

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.uploaders import PoetryPublish, Twine, UvPublish
from tests.fakes.front import tls_front
from tests.fakes.oidc import AUDIENCE, running_issuer
from tests.fakes.upstream import build_wheel

CONFIG = """
[upstreams.pypi]
url = "{upstream}"
[indexes.main]
private = ["acme-*"]
[trusted_publishing]
audience = "{audience}"
[[trusted_publishing.publishers]]
kind = "GitHub"
issuer = "{issuer}"
repository = "acme/widget"
workflow = "publish.yml"
environment = "release"
projects = ["acme-widget", "acme-tool"]
"""


@pytest.fixture
def issuer():
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def config(upstream, issuer):
    return CONFIG.format(upstream=upstream.url, issuer=issuer.url, audience=AUDIENCE)


def publish(server, issuer, folder, project="acme-widget"):
    client = UvPublish(folder)
    name = project.replace("-", "_")
    (client.dist / f"{name}-1.0-py3-none-any.whl").write_bytes(build_wheel(project, "1.0"))
    # uv shows identities by https alone.
    with tls_front(int(server.url.rpartition(":")[2]), folder / "front") as (url, ca_file):
        return client.publish_as_workflow(f"{url}/legacy/", f"{issuer.url}/runner", ca_file)


def test_a_workflow_publishes_by_showing_who_it_is(server, issuer, tmp_path):
    done = publish(server, issuer, tmp_path / "ci")
    assert done.returncode == 0, done.stdout
    outcome = Pip(tmp_path / "pip").install(server.simple(), "acme-widget")
    assert outcome.installed == {"acme-widget": "1.0"}, outcome
    (published,) = server.audited("--action", "file.published")
    assert "GitHub acme/widget (publish.yml)" in published["actor"]["name"]
    assert "GitHub acme/widget (publish.yml)" in server.run("package", "list")


def exchange(server, issuer):
    """Take an identity to where PyPI's usual publish action takes it, and return the token that it gets."""
    assertion = json.dumps({"token": issuer.sign(issuer.github())}).encode()
    with urllib.request.urlopen(f"{server.url}/_/oidc/mint-token", assertion, timeout=30) as answer:
        return json.load(answer)["token"]


@pytest.mark.parametrize("client", [Twine, PoetryPublish], ids=lambda client: client.name)
def test_clients_that_exchange_nothing_publish_with_what_the_action_got(server, issuer, client, tmp_path):
    uploader = client(tmp_path / "ci")
    (uploader.dist / "acme_tool-1.0-py3-none-any.whl").write_bytes(build_wheel("acme-tool", "1.0"))
    done = uploader.publish(f"{server.url}/legacy/", exchange(server, issuer))
    assert done.returncode == 0, done.stdout
    for installer in (Pip(tmp_path / "pip"), Uv(tmp_path / "uv")):
        outcome = installer.install(server.simple(), "acme-tool")
        assert outcome.installed == {"acme-tool": "1.0"}, outcome
    assert "GitHub acme/widget (publish.yml)" in server.run("package", "list")


@pytest.mark.parametrize(
    "claims", [{"repository": "thief/widget"}, {"environment": "test"}, {"aud": "another.example"}], ids=str
)
def test_another_workflow_does_not(server, issuer, tmp_path, claims):
    issuer.claims = claims
    if "aud" in claims:
        issuer.github = lambda github=issuer.github, **told: github(**{**told, **claims})
        issuer.claims = {}
    done = publish(server, issuer, tmp_path / "ci")
    assert done.returncode != 0, done.stdout
    assert "invalid-" in done.stdout
    assert server.run("package", "list").strip() == "Nothing is published."


def test_a_workflow_publishes_its_own_projects_only(server, issuer, tmp_path):
    done = publish(server, issuer, tmp_path / "ci", "acme-other")
    assert done.returncode != 0, done.stdout
    assert "may not publish acme-other" in done.stdout
    assert server.run("package", "list").strip() == "Nothing is published."
