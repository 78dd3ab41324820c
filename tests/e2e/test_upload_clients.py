"""twine, uv, Poetry and PDM publish a private package, and pip and uv install it."""

import hashlib
import json
import re
import urllib.request
from datetime import UTC, datetime

import pytest
from tests.e2e.clients import Pip, Uv
from tests.e2e.server import PinfoldServer
from tests.e2e.uploaders import EVERY_UPLOADER, Twine, UvPublish
from tests.fakes.sigstore import LocalSigstore
from tests.fakes.uploads import CONTENT_TYPE, body_of, fields_of
from tests.fakes.upstream import build_sdist, build_wheel

CONFIG = """
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.main]
private = ["acme-*"]
[indexes.prod]
packages_from = ["main"]
"""
FILES = {
    "acme_tool-1.0-py3-none-any.whl": build_wheel("acme-tool", "1.0", requires_python=">=3.8"),
    "acme_tool-1.0.tar.gz": build_sdist("acme-tool", "1.0", requires_python=">=3.8"),
}
OTHER = build_wheel("acme-tool", "1.0", files={"acme_tool/other.py": b"x = 1\n"})


@pytest.fixture
def config(upstream):
    return CONFIG.format(url=upstream.url)


@pytest.fixture
def token(server):
    return server.run("token", "create", "ci", "--role", "publisher", "--project", "acme-*").strip()


@pytest.fixture(params=EVERY_UPLOADER, ids=lambda client: client.name)
def uploader(request, tmp_path):
    client = request.param(tmp_path / "client")
    for filename, content in FILES.items():
        (client.dist / filename).write_bytes(content)
    return client


def address(server, index=""):
    return f"{server.url}{index}/legacy/"


def succeeded(done):
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_package_is_published_and_installed(server, token, uploader, tmp_path, upstream):
    upstream.add_file("acme-tool", "9.9")
    succeeded(uploader.publish(address(server), token))
    for client in (Pip(tmp_path / "pip"), Uv(tmp_path / "uv")):
        outcome = client.install(server.simple("prod"), "acme-tool")
        assert outcome.installed == {"acme-tool": "1.0"}, str(outcome)
    sdist = Pip(tmp_path / "sdist").install(server.simple(), "acme-tool", "--no-binary", "acme-tool")
    assert sdist.installed == {"acme-tool": "1.0"}, str(sdist)
    assert not [request.path for request in upstream.requests if "acme" in request.path.lower()]
    assert token not in server.log.read_text()


def test_the_same_files_again_are_no_error(server, token, uploader):
    succeeded(uploader.publish(address(server), token))
    succeeded(uploader.publish(address(server), token))
    succeeded(uploader.publish(address(server), token, skip_existing=True))
    assert server.run("package", "list").count("acme_tool") == 2


def test_what_exists_with_other_bytes_is_refused_and_said_so(server, token, uploader):
    succeeded(uploader.publish(address(server), token))
    (uploader.dist / "acme_tool-1.0-py3-none-any.whl").write_bytes(OTHER)
    done = uploader.publish(address(server), token)
    assert done.returncode != 0, done.stdout
    assert "already exist" in done.stdout.lower() or not uploader.repeats_refusals, done.stdout


@pytest.mark.parametrize("client", [Twine], ids=lambda client: client.name)
def test_clients_that_skip_what_exists_go_on_with_the_rest(server, token, client, tmp_path):
    uploader = client(tmp_path / "client")
    (uploader.dist / "acme_tool-1.0-py3-none-any.whl").write_bytes(FILES["acme_tool-1.0-py3-none-any.whl"])
    succeeded(uploader.publish(address(server), token))
    (uploader.dist / "acme_tool-1.0-py3-none-any.whl").write_bytes(OTHER)
    (uploader.dist / "acme_tool-1.0.tar.gz").write_bytes(FILES["acme_tool-1.0.tar.gz"])
    assert "Skipping acme_tool-1.0-py3-none-any.whl" in succeeded(
        uploader.publish(address(server), token, skip_existing=True)
    )
    assert "acme_tool-1.0.tar.gz" in server.run("package", "list")


def test_uv_tells_other_bytes_by_the_hashes_of_the_page(server, token, tmp_path):
    uploader = UvPublish(tmp_path / "client")
    wheel = uploader.dist / "acme_tool-1.0-py3-none-any.whl"
    wheel.write_bytes(FILES[wheel.name])
    succeeded(uploader.publish(address(server), token))
    assert "already exists" in succeeded(uploader.publish(address(server), token, skip_existing=True)).lower()
    wheel.write_bytes(OTHER)
    done = uploader.publish(address(server), token, skip_existing=True)
    assert done.returncode != 0
    assert "do not match" in done.stdout.lower(), done.stdout


def test_a_wrong_token_publishes_nothing_and_is_told(server, uploader):
    done = uploader.publish(address(server), "pinfold_nonsense")
    assert done.returncode != 0
    assert re.search("40[13]|credentials|token", done.stdout), done.stdout
    assert server.run("package", "list").strip() == "Nothing is published."


def test_a_token_of_another_scope_is_told_why(server, uploader):
    token = server.run("token", "create", "other", "--role", "publisher", "--project", "other-*").strip()
    done = uploader.publish(address(server), token)
    assert done.returncode != 0
    assert server.run("package", "list").strip() == "Nothing is published."
    for entry in (refused := server.audited("--action", "file.publish-refused")):
        assert "may not publish acme-tool on index main" in entry["details"]["reason"]
    assert refused


def test_a_yanked_release_is_passed_over_and_a_deleted_one_gone(server, token, tmp_path):
    uploader = Twine(tmp_path / "client")
    for version in ("1.0", "1.1"):
        wheel = build_wheel("acme-tool", version)
        (uploader.dist / f"acme_tool-{version}-py3-none-any.whl").write_bytes(wheel)
    succeeded(uploader.publish(address(server), token))
    server.run("package", "yank", "acme-tool==1.1", "--reason", "breaks <b>")
    assert Pip(tmp_path / "a").install(server.simple(), "acme-tool").installed == {"acme-tool": "1.0"}
    pinned = Pip(tmp_path / "b").install(server.simple(), "acme-tool==1.1")
    assert pinned.installed == {"acme-tool": "1.1"}
    assert "breaks <b>" in pinned.output
    server.run("package", "unyank", "acme-tool==1.1", "--reason", "mended")
    assert Uv(tmp_path / "c").install(server.simple(), "acme-tool").installed == {"acme-tool": "1.1"}
    server.run("package", "delete", "acme-tool==1.1", "--reason", "held a password")
    assert Uv(tmp_path / "d").install(server.simple(), "acme-tool").installed == {"acme-tool": "1.0"}
    again = uploader.publish(address(server), token)
    assert again.returncode != 0
    assert "previously used by a file that has since been deleted" in again.stdout, again.stdout


def test_attestations_that_twine_sends_are_verified_and_served(upstream, tmp_path):
    sigstore = LocalSigstore(tmp_path)
    config = f'{CONFIG.format(url=upstream.url)}\n[sigstore]\ntrusted_root = "{sigstore.trusted_root_path}"\n'
    (filename, wheel), *_ = FILES.items()
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        token = server.run("token", "create", "ci", "--role", "publisher").strip()
        for sha256, accepted in (("0" * 64, False), (hashlib.sha256(wheel).hexdigest(), True)):
            uploader = Twine(tmp_path / f"twine-{accepted}")
            (uploader.dist / filename).write_bytes(wheel)
            attestation = sigstore.attest(filename, sha256, at=datetime.now(UTC))
            (uploader.dist / f"{filename}.publish.attestation").write_text(json.dumps(attestation))
            done = uploader.publish(address(server), token, "--attestations")
            assert (done.returncode == 0) is accepted, done.stdout
        assert "attested" in server.run("package", "list")
        with urllib.request.urlopen(
            f"{server.url}/integrity/acme-tool/1.0/{filename}/provenance", timeout=60
        ) as response:
            (bundle,) = json.load(response)["attestation_bundles"]
        assert bundle["publisher"]["repository"] == "example/widget"
        assert bundle["attestations"] == [attestation]


def test_every_worker_shows_what_was_just_published(upstream, tmp_path):
    config = CONFIG.format(url=upstream.url)
    with PinfoldServer(tmp_path / "pinfold", config, "--workers", "3") as server:
        token = server.run("token", "create", "ci", "--role", "publisher").strip()
        for version in ("1.0", "1.1", "1.2"):
            filename, wheel = f"acme_tool-{version}-py3-none-any.whl", build_wheel("acme-tool", version)
            assert b"published" in upload(server, token, filename, wheel)
            # Each request is a connection of its own, which any of the workers may get.
            for _ in range(15):
                assert filename in page(server, "acme-tool")


def upload(server, token, filename, content):
    request = urllib.request.Request(address(server), body_of(fields_of(filename, content), filename, content))
    request.add_header("Content-Type", CONTENT_TYPE)
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read()


def page(server, project):
    with urllib.request.urlopen(f"{server.simple()}{project}/", timeout=60) as response:
        return response.read().decode()
