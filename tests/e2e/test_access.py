"""Real clients at an index that not everybody may read: with a token, with a wrong one, and with none."""

import json
import time
import urllib.error
import urllib.request
from base64 import b64encode

import pytest
from tests.e2e.clients import CLIENTS, EVERY_CLIENT, OldestPip, Pip, Uv
from tests.e2e.server import PinfoldServer
from tests.fakes.front import tls_front
from tests.fakes.oidc import running_issuer
from tests.fakes.upstream.distributions import build_wheel

CONFIG = """
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.closed]
anonymous = false
"""
BOTH = [Pip, Uv]


@pytest.fixture
def server(upstream, tmp_path):
    upstream.add_file("acme", "1.0", requires_dist=["other"])
    upstream.add_file("other", "2.0")
    with PinfoldServer(tmp_path / "pinfold", CONFIG.format(url=upstream.url)) as server:
        yield server


def token(server, *words):
    return json.loads(server.run("token", "create", *words, "--json"))


def with_token(url, text):
    return url.replace("://", f"://__token__:{text}@")


def status(url, text=None):
    request = urllib.request.Request(url)
    if text is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"__token__:{text}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("client", EVERY_CLIENT)
def test_a_token_in_the_url_opens_an_index(server, tmp_path, client):
    reader = token(server, "ci", "--role", "reader", "--index", "closed")
    outcome = client(tmp_path / "client").install(with_token(server.simple("closed"), reader["token"]), "acme")
    assert outcome.installed == {"acme": "1.0", "other": "2.0"}, outcome


@pytest.mark.parametrize("client", [OldestPip, *BOTH])
def test_a_token_in_netrc_opens_an_index(server, tmp_path, client):
    reader = token(server, "ci", "--role", "reader")
    machine = client(tmp_path / "client")
    netrc = machine.folder / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login __token__ password {reader['token']}\n")
    netrc.chmod(0o600)
    outcome = machine.install(server.simple("closed"), "acme")
    assert outcome.installed == {"acme": "1.0", "other": "2.0"}, outcome


def test_without_a_token_pip_asks_for_one(server, tmp_path):
    asked = Pip(tmp_path / "client").install(server.simple("closed"), "acme")
    assert "User for 127.0.0.1" in asked.output, asked
    assert asked.installed == {}
    silent = Pip(tmp_path / "client").install(server.simple("closed"), "acme", "--no-input")
    assert "from versions: none" in silent.output, silent


def test_without_a_token_uv_says_that_one_is_needed(server, tmp_path):
    outcome = Uv(tmp_path / "client").install(server.simple("closed"), "acme")
    assert outcome.installed == {}
    assert "lack of valid authentication credentials (401 Unauthorized)" in outcome.output, outcome


@pytest.mark.parametrize(("client", "printed"), [(Pip, "from versions: none"), (Uv, "403 Forbidden")])
def test_a_token_reaches_no_further_than_its_scope(server, tmp_path, client, printed):
    narrow = token(server, "ci", "--role", "reader", "--index", "closed", "--project", "acme")
    outcome = client(tmp_path / "client").install(with_token(server.simple("closed"), narrow["token"]), "acme")
    assert outcome.installed == {}
    assert narrow["token"] not in outcome.output
    assert printed in outcome.output, outcome


def test_uv_does_not_go_on_to_another_index_for_what_is_out_of_scope(server, upstream, tmp_path):
    # What is refused here must not be taken from wherever it is offered as well: that is how confusion works.
    narrow = token(server, "ci", "--role", "reader", "--index", "closed", "--project", "other")
    uv = Uv(tmp_path / "client")
    closed = with_token(server.simple("closed"), narrow["token"])
    outcome = uv.install(server.simple(), "--index", closed, "acme")
    assert outcome.installed == {}, outcome
    assert outcome.status != 0


def test_the_log_tells_whose_token_it_was(server, tmp_path):
    reader = token(server, "ci", "--role", "reader")
    Pip(tmp_path / "client").install(with_token(server.simple("closed"), reader["token"]), "acme")
    entries = server.audited("--actor", "ci")
    assert {entry["project"] for entry in entries} == {"acme", "other"}
    assert {entry["actor"]["token"] for entry in entries} == {reader["id"]}
    exposed = json.loads(server.run("audit", "exposure", "acme", "--json"))["exposed"]
    assert [client["actor"] for client in exposed] == ["ci"]


def test_no_secret_is_written_anywhere(server, tmp_path):
    secrets = [token(server, name, "--role", "reader")["token"] for name in ("good", "gone")]
    server.run("token", "revoke", secrets[1])
    for secret in (*secrets, secrets[0][:-1] + "a", secrets[0] + "x"):
        Pip(tmp_path / "client").install(with_token(server.simple("closed"), secret), "acme")
        status(f"{server.url}/closed/simple/acme/?token={secret}", secret)
    server.stop()
    parts = [part for secret in secrets for part in (secret.encode(), secret.rpartition("_")[2][:20].encode())]
    kept = [path for path in (*server.data.rglob("*"), server.log) if path.is_file()]
    assert len(kept) > 3
    for path in kept:
        assert not [part for part in parts if part in path.read_bytes()], path


def test_a_revoked_token_opens_nothing_in_any_worker_within_a_second(upstream, tmp_path):
    upstream.add_file("acme", "1.0")
    with PinfoldServer(tmp_path / "pinfold", CONFIG.format(url=upstream.url), "--workers", "2") as server:
        url = f"{server.simple('closed')}acme/"
        reader = token(server, "ci", "--role", "reader")
        # Each question is a new connection, and the kernel spreads these over both workers.
        assert [status(url, reader["token"]) for _ in range(20)] == [200] * 20
        server.run("token", "revoke", reader["id"])
        time.sleep(1)
        assert {status(url, reader["token"]) for _ in range(20)} <= {403, 429}


def test_a_token_opens_what_it_should_in_every_worker_at_once(upstream, tmp_path):
    upstream.add_file("acme", "1.0")
    with PinfoldServer(tmp_path / "pinfold", CONFIG.format(url=upstream.url), "--workers", "2") as server:
        url = f"{server.simple('closed')}acme/"
        held = token(server, "held", "--role", "reader")["token"]
        for number in range(3):
            # Both workers have just looked at the tokens that there are.
            assert [status(url, held) for _ in range(6)] == [200] * 6
            new = token(server, f"new-{number}", "--role", "reader")["token"]
            assert [status(url, new) for _ in range(6)] == [200] * 6


def test_a_last_use_is_kept(server):
    reader = token(server, "ci", "--role", "reader")
    assert status(f"{server.simple('closed')}acme/", reader["token"]) == 200
    server.stop()
    (listed,) = json.loads(server.run("token", "list", "--json"))["tokens"]
    assert listed["last_used_at"] is not None


def test_what_is_open_to_all_is_said_at_the_start(upstream, tmp_path):
    config = CONFIG.format(url=upstream.url) + '[server]\nbase_url = "https://packages.example"\n'
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        assert status(f"{server.simple()}acme/") == 401
        said = server.log.read_text()
        assert "main needs a token" in said
        assert "anonymous = true" in said


TRUSTED = """
[trusted_publishing]
audience = "packages.example"
[[trusted_publishing.publishers]]
kind = "GitHub"
repository = "acme/widget"
workflow = "publish.yml"
environment = "release"
projects = ["acme-widget"]
indexes = ["closed"]
issuer = "{issuer}"
"""


class Runner:
    """uv in a CI job, at a Pinfold behind TLS: uv asks for the audience by https, wherever it publishes to."""

    def __init__(self, folder, front):
        self.uv = Uv(folder)
        self.wheel = self.uv.folder / "acme_widget-1.0-py3-none-any.whl"
        self.wheel.write_bytes(build_wheel("acme-widget", "1.0"))
        self.front = front

    def publish(self, **variables):
        command = [CLIENTS / "uv" / "bin" / "uv", "--no-config", "publish", "--trusted-publishing", "always"]
        where = ["--publish-url", f"{self.front.url}/closed/legacy/"]
        return self.uv.run(*command, *where, self.wheel, CI="true", SSL_CERT_FILE=str(self.front.ca_file), **variables)


def test_uv_publishes_from_github_without_a_stored_secret(upstream, tmp_path):
    with (
        running_issuer() as issuer,
        PinfoldServer(
            tmp_path / "pinfold", CONFIG.format(url=upstream.url) + TRUSTED.format(issuer=issuer.url)
        ) as server,
        tls_front(int(server.url.rpartition(":")[2]), tmp_path / "front") as front,
    ):
        runner = Runner(tmp_path / "runner", front)
        github = {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.url}/runner?api=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-runner",
        }
        done = runner.publish(**github)
        assert done.returncode == 0, done.stdout
        told = {entry["action"]: entry for entry in server.audited()}
        assert told["token.mint"]["details"]["projects"] == ["acme-widget"]
        assert told["token.revoke"]["reference"] == told["token.mint"]["reference"], "uv gives it back when it is done"
        reader = token(server, "dev", "--role", "reader")
        machine = Pip(tmp_path / "installing")
        outcome = machine.install(with_token(server.simple("closed"), reader["token"]), "acme-widget")
        assert outcome.installed == {"acme-widget": "1.0"}, outcome
        issuer.claims = {"environment": "staging"}
        done = runner.publish(**github)
        assert done.returncode != 0
        assert "invalid-publisher" in done.stdout, done.stdout


def test_uv_publishes_from_gitlab_without_a_stored_secret(upstream, tmp_path):
    with running_issuer() as issuer:
        trusted = (
            TRUSTED.format(issuer=issuer.url).replace("GitHub", "GitLab").replace("acme/widget", "group/sub/widget")
        )
        trusted = trusted.replace('workflow = "publish.yml"\nenvironment = "release"', 'workflow = "ci/publish.yml"')
        with (
            PinfoldServer(tmp_path / "pinfold", CONFIG.format(url=upstream.url) + trusted) as server,
            tls_front(int(server.url.rpartition(":")[2]), tmp_path / "front") as front,
        ):
            shown = issuer.sign(issuer.gitlab())
            done = Runner(tmp_path / "runner", front).publish(GITLAB_CI="true", PACKAGES_EXAMPLE_ID_TOKEN=shown)
            assert done.returncode == 0, done.stdout
            assert "group/sub/widget" in server.run("audit", "search", "--action", "token.mint")
