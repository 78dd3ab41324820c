"""A build fetched it; then somebody finds out: from there on everything happens by itself."""

import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.e2e.conftest import CONFIG
from tests.e2e.server import PinfoldServer

SECRET = "for the receivers of this test"
ALERTS = """
[[alerts.webhook]]
url = "{url}/hook?token=hidden-token"
name = "soc"
secret = "{secret}"
[[alerts.webhook]]
url = "{url}/slack/hidden-token"
name = "chat"
shape = "slack"
"""


class Receiver:
    """Takes what is posted to it, or answers as `statuses` say first."""

    def __init__(self):
        self.posts = []
        self.statuses = []
        self.url = ""

    def to(self, path):
        return [post for post in self.posts if post[0].startswith(path)]


@contextmanager
def receiving():
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posts.append((self.path, dict(self.headers), body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def server(upstream, receiver, tmp_path):
    """Several workers, of which one has to tell, and only one."""
    config = CONFIG.format(url=upstream.url) + ALERTS.format(url=receiver.url, secret=SECRET)
    with PinfoldServer(tmp_path / "pinfold", config, "--workers", "2") as server:
        yield server


def url(server, file):
    return f"{server.url}/files/{file.project}/{file.sha256}/{file.filename}"


def fetch(address):
    request = urllib.request.Request(address, headers={"User-Agent": 'pip/26.3 {"python":"3.12.4","ci":true}'})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read()


def status(address):
    try:
        fetch(address)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def until(found, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def changes(server):
    return server.audited("--action", "decision.changed")


def old(upstream, project, version):
    return upstream.add_file(project, version, upload_time=datetime.now(UTC) - timedelta(days=30))


def test_a_quarantine_is_looked_back_from_and_those_concerned_are_told_once(server, upstream, receiver):
    file = old(upstream, "litellm", "1.82.8")
    assert fetch(url(server, file)) == file.content
    assert fetch(url(server, file)) == file.content
    server.run("quarantine", "add", "litellm==1.82.8", "--reason", "steals keys", "--ref", "MAL-2026-1")
    added = time.monotonic()
    until(lambda: status(url(server, file)) == 403, 1)
    _, headers, body = until(lambda: receiver.to("/hook"))[0]
    assert time.monotonic() - added < 5

    signed = hmac.new(SECRET.encode(), f"{headers['X-Pinfold-Timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["X-Pinfold-Signature"] == f"v1={signed.hexdigest()}"
    alert = json.loads(body)
    assert (alert["kind"], alert["id"]) == ("decision.changed", headers["X-Pinfold-Alert"])
    assert alert["title"].startswith("litellm 1.82.8 is refused from now on (quarantined: ")
    assert [one["sha256"] for one in alert["facts"]["files"]] == [file.sha256]
    (client,) = alert["facts"]["exposure"]["clients"]
    assert (client["address"], client["ci"], client["requests"]["served"]) == ("127.0.0.1", True, 2)

    text = json.loads(until(lambda: receiver.to("/slack"))[0][2])["text"]
    assert "litellm 1.82.8 is refused from now on" in text

    (changed,) = changes(server)
    assert changed["filename"] == file.filename
    assert (changed["rule"], changed["details"]["to"]) == ("quarantined", "refused")
    time.sleep(1)
    assert len(receiver.to("/hook")) == 1
    assert json.loads(server.run("alerts", "list", "--json"))["deliveries"] == []
    assert '"event": "litellm 1.82.8 is refused from now on' in server.log.read_text()
    assert "hidden-token" not in server.log.read_text()

    record = json.loads(server.run("quarantine", "list", "--json"))["records"][0]["id"]
    server.run("quarantine", "release", record, "--reason", "it was another one")
    until(lambda: len(receiver.to("/hook")) == 2)
    assert "is served again" in json.loads(receiver.to("/hook")[1][2])["title"]
    assert [entry["details"]["to"] for entry in changes(server)] == ["served", "refused"]
    assert status(url(server, file)) == 200


def test_a_project_that_nobody_was_served_is_no_news(server, upstream, receiver):
    file = old(upstream, "litellm", "1.82.8")
    server.run("quarantine", "add", "litellm", "--reason", "r")
    until(lambda: status(url(server, file)) == 403)
    time.sleep(1)
    assert receiver.posts == []
    assert changes(server) == []


def test_what_happened_while_no_server_ran_is_made_up_for(server, upstream, receiver):
    file = old(upstream, "litellm", "1.82.8")
    fetch(url(server, file))
    server.stop()
    server.run("quarantine", "add", f"sha256:{file.sha256}", "--reason", "r")
    assert receiver.posts == []
    server.start()
    until(lambda: receiver.to("/hook"))
    assert len(changes(server)) == 1


def test_a_file_that_goes_away_upstream_is_looked_back_from(server, upstream, receiver):
    file = upstream.add_file("litellm", "1.82.8", upload_time=datetime.now(UTC) - timedelta(days=10))
    fetch(url(server, file))
    upstream.remove_file(file)
    fetch(f"{server.simple()}litellm/")
    alert = json.loads(until(lambda: receiver.to("/hook"))[0][2])
    assert alert["facts"]["cause"] == "the upstream took a file away"
    assert alert["facts"]["files"][0]["rule"] == "vanished"
    assert status(url(server, file)) == 403


def test_what_a_receiver_does_not_take_is_tried_again_and_a_redirect_leads_nowhere(server, upstream, receiver):
    file = old(upstream, "litellm", "1.82.8")
    fetch(url(server, file))
    receiver.statuses = [302, 500]
    server.run("quarantine", "add", "litellm", "--reason", "r")
    until(lambda: len(receiver.posts) >= 4, 20)
    assert {path.partition("?")[0] for path, _, _ in receiver.posts} == {"/hook", "/slack/hidden-token"}
    ids = {json.loads(body).get("id") for path, _, body in receiver.posts if path.startswith("/hook")}
    assert len(ids) == 1
    assert "hidden-token" not in server.log.read_text()
