"""Dependency confusion, replayed: what is published here comes from here alone, and nobody outside hears its name.

In December 2022 PyTorch's nightly builds needed `torchtriton`, which stood on PyTorch's own index only. Somebody put a
package of that name and a higher version on PyPI, and pip, which was given both indexes, took that one.
"""

import hashlib
import urllib.error
import urllib.request

import pytest
from tests.e2e.clients import OldestPip, Pip, Poetry, Uv
from tests.e2e.uploaders import Twine, UvPublish
from tests.fakes.upstream import build_sdist, build_wheel

CONFIG = """
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.main]
private = ["acme-*"]
[indexes.nightly]
packages_from = ["main"]
[indexes.elsewhere]
"""
STOLEN = {"torchtriton/__init__.py": b"# in the incident, this sent host names, keys and the first files of $HOME\n"}
OURS = build_wheel("torchtriton", "2.0.0")
TORCH = build_wheel("torch", "2.0.0.dev20221230", requires_dist=["torchtriton>=2.0", "six"])


@pytest.fixture
def config(upstream):
    return CONFIG.format(url=upstream.url)


@pytest.fixture
def token(server):
    return server.run("token", "create", "nightly", "--role", "publisher").strip()


def publish(client, server, token, files, index=""):
    for filename, content in files.items():
        (client.dist / filename).write_bytes(content)
    done = client.publish(f"{server.url}{index}/legacy/", token)
    assert done.returncode == 0, done.stdout
    return done.stdout


def asked_for(upstream, name):
    """Return every request of the upstream in which a name occurs, in whatever spelling and place."""
    spellings = {name, name.replace("-", "_"), name.replace("-", ".")}
    return [
        request.path
        for request in upstream.requests
        if any(one in f"{request.path} {dict(request.headers)}".lower() for one in spellings)
    ]


def status(address):
    try:
        with urllib.request.urlopen(address, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("client", [OldestPip, Pip, Uv, Poetry], ids=lambda client: client.name)
def test_torchtriton_comes_from_whoever_published_it_here(server, token, upstream, tmp_path, client):
    upstream.add_file("six", "1.16.0")
    files = {"torchtriton-2.0.0-py3-none-any.whl": OURS, "torch-2.0.0.dev20221230-py3-none-any.whl": TORCH}
    publish(Twine(tmp_path / "twine"), server, token, files)
    before = asked_for(upstream, "torchtriton")
    # Only now does the impostor come, with a higher version, as it was in the incident.
    upstream.add_file("torchtriton", "3.0.0", files=STOLEN)
    for index in ("main", "nightly"):
        outcome = client(tmp_path / index).install(server.simple(index), "torch==2.0.0.dev20221230")
        assert outcome.installed == {"torch": "2.0.0.dev20221230", "torchtriton": "2.0.0", "six": "1.16.0"}, outcome
    # An index that does not show it has nothing of the name, rather than the impostor's.
    outcome = client(tmp_path / "elsewhere").install(server.simple("elsewhere"), "torchtriton")
    assert not outcome.installed, outcome
    assert asked_for(upstream, "torchtriton") == before
    assert len(before) == 1, "a name that no setting reserves is asked for once, when it is claimed"


def test_a_name_that_exists_outside_is_claimed_with_a_warning(server, token, upstream, tmp_path):
    upstream.add_file("torchtriton", "3.0.0", files=STOLEN)
    files = {"torchtriton-2.0.0-py3-none-any.whl": OURS}
    publish(Twine(tmp_path / "twine"), server, token, files)
    (claim,) = server.audited("--action", "project.claimed")
    assert "pypi has a project torchtriton, too" in claim["details"]["warnings"][0]
    assert "torchtriton" in server.run("doctor", status=0)
    outcome = Pip(tmp_path / "pip").install(server.simple(), "torchtriton")
    assert outcome.installed == {"torchtriton": "2.0.0"}, outcome


def test_no_private_name_leaves_in_a_whole_run(server, token, upstream, tmp_path):
    """Everything that one does with private packages, with every request of the upstream's looked at."""
    upstream.add_file("six", "1.16.0")
    for impostor in ("acme-tool", "acme-other", "acme-never-published"):
        upstream.add_file(impostor, "99.0", files=STOLEN)
    wheel, sdist = (
        build_wheel("acme-tool", "1.0", requires_dist=["acme-other", "six"]),
        build_sdist("acme-other", "1.0"),
    )
    files = {"acme_tool-1.0-py3-none-any.whl": wheel, "acme_other-1.0.tar.gz": sdist}
    publish(UvPublish(tmp_path / "publish"), server, token, files)
    publish(Twine(tmp_path / "twine"), server, token, {"acme_tool-1.0-py3-none-any.whl": wheel}, "/nightly")
    for client in (Pip, Uv):
        for index in ("main", "nightly"):
            outcome = client(tmp_path / client.name / index).install(server.simple(index), "acme-tool")
            assert outcome.installed == {"acme-tool": "1.0", "acme-other": "1.0", "six": "1.16.0"}, outcome
    missing = Pip(tmp_path / "missing").install(server.simple(), "acme-never-published")
    assert not missing.installed
    sha256 = hashlib.sha256(wheel).hexdigest()
    for index in ("", "/main", "/nightly", "/elsewhere"):
        for path in (
            "/simple/",
            "/simple/Acme.Tool/",
            "/simple/acme-tool/",
            f"/files/acme-tool/{sha256}/acme_tool-1.0-py3-none-any.whl",
            f"/files/acme-tool/{sha256}/acme_tool-1.0-py3-none-any.whl.metadata",
            f"/files/acme-tool/{'0' * 64}/acme_tool-9.9-py3-none-any.whl",
            "/packages/aa/bb/cc/acme_tool-1.0-py3-none-any.whl",
            "/integrity/acme-tool/1.0/acme_tool-1.0-py3-none-any.whl/provenance",
        ):
            status(f"{server.url}{index}{path}")
    server.run("explain", "acme-tool")
    server.run("explain", "acme-tool==1.0", "--index", "nightly")
    server.run("package", "yank", "acme-tool", "--reason", "old")
    server.run("package", "delete", "acme-other", "--reason", "gone")
    assert status(f"{server.simple()}acme-other/") == 200, "a name stays ours when its files are gone"
    server.run("quarantine", "add", "acme-tool", "--reason", "looked into")
    server.run("doctor")
    server.stop()
    server.start()
    status(f"{server.simple()}acme-tool/")
    assert asked_for(upstream, "acme") == []
    assert asked_for(upstream, "six"), "the upstream was watched, and asked for what is public"
