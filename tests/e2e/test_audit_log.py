"""The audit log of a real server: what it proves to somebody on another machine, and after the server was killed."""

import contextlib
import http.client
import json
import random
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.clients import OldestPip, Pip, Uv
from tests.e2e.server import PinfoldServer

REQUESTS = ("file.served", "file.refused")


def fetch(address):
    with urllib.request.urlopen(address, timeout=30) as response:
        return response.read()


def entries(server):
    lines = server.run("audit", "export").splitlines()
    return [json.loads(line)["entry"] for line in lines if line.startswith('{"entry"')]


def test_kill_9_under_load_loses_no_entry_of_a_file_that_a_client_received(upstream, tmp_path):
    files = [upstream.add_file("many", f"1.{n}") for n in range(20)]
    server = PinfoldServer(tmp_path / "pinfold", f'[upstreams.pypi]\nurl = "{upstream.url}"\n')
    server.start()
    received = []

    def build(part):
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                file = random.choice(part)
                fetch(f"{server.url}/files/many/{file.sha256}/{file.filename}")
                received.append(file.filename)

    clients = [threading.Thread(target=build, args=(files,)) for _ in range(8)]
    for client in clients:
        client.start()
    while len(received) < 50:
        time.sleep(0.01)
    server.kill()
    for client in clients:
        client.join(30)
    assert server.run("audit", "verify").startswith("whole")
    served = Counter(entry["filename"] for entry in entries(server) if entry["action"] == "file.served")
    assert Counter(received) <= served
    # At most what was on its way to each of the eight clients was recorded and not received.
    assert served.total() - len(received) <= 8


def test_checkpoints_leave_the_server_and_show_a_log_that_was_replaced(upstream, tmp_path):
    file = upstream.add_file("idna", "3.7")
    kept = tmp_path / "elsewhere"
    config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n[audit]\ncheckpoint_file = "{kept}"\n'
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        fetch(f"{server.url}/files/idna/{file.sha256}/{file.filename}")
        assert server.stop() == 0
        assert server.run("audit", "verify", "--checkpoint", str(kept)).startswith("whole")
        key = server.run("audit", "key").strip()
        (tmp_path / "export").write_text(server.run("audit", "export"))
    elsewhere = PinfoldServer(tmp_path / "auditor", "")
    words = ("audit", "verify", str(tmp_path / "export"), "--key", key, "--checkpoint", str(kept))
    assert elsewhere.run(*words).startswith("whole: entries 1 to ")
    with PinfoldServer(tmp_path / "replaced", config) as replaced:
        fetch(f"{replaced.url}/files/idna/{file.sha256}/{file.filename}")
        replaced.stop()
        assert "kept elsewhere" in replaced.run("audit", "verify", "--checkpoint", str(kept), status=1)


def answered(server):
    """What the server answered of files: how often each path with each status, told by its access log."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line.get("event") == "request" and line["path"].startswith("/files/")]
    assert {line["status"] for line in requests} <= {200, 206, 304, 403}
    told = [(line["path"], "file.refused" if line["status"] == 403 else "file.served") for line in requests]
    # Metadata that is served belongs to a page; that it is refused is an entry.
    return Counter(one for one in told if not one[0].endswith(".metadata") or one[1] == "file.refused")


def path_of(entry):
    path = f"/files/{entry['project']}/{entry['sha256']}/{entry['filename']}"
    return f"{path}.metadata" if entry["details"].get("part") == "metadata" else path


@pytest.mark.parametrize("installer", [OldestPip, Pip, Uv], ids=lambda client: client.name)
def test_every_file_that_an_installer_is_served_or_refused_is_in_the_log_exactly_once(
    installer, server, upstream, incident, tmp_path
):
    upstream.add_file("app", "2.0", requires_dist=["library>=1"])
    upstream.add_file("library", "1.5", sdist=False)
    outcome = installer(tmp_path / "client").install(server.simple(), "app", "litellm")
    assert outcome.installed == {"app": "2.0", "library": "1.5", "litellm": "1.82.6"}, str(outcome)
    refused = installer(tmp_path / "other").install(server.simple(), "app", "litellm==1.82.8")
    assert refused.status != 0, str(refused)
    server.stop()
    logged = entries(server)
    told = Counter((path_of(entry), entry["action"]) for entry in logged if entry["action"] in REQUESTS)
    assert told == answered(server)
    served = {
        entry["filename"] for entry in logged if entry["action"] == "file.served" and "part" not in entry["details"]
    }
    assert served >= {"app-2.0-py3-none-any.whl", "library-1.5-py3-none-any.whl", incident["1.82.6"].filename}
    assert incident["1.82.8"].filename in {entry["filename"] for entry in logged if entry["action"] == "file.refused"}


def test_another_policy_is_an_entry_once_and_what_was_served_is_judged_by_it(upstream, tmp_path):
    file = upstream.add_file("idna", "3.7", upload_time=datetime.now(UTC) - timedelta(days=7))
    config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n[feeds.osv]\nsource = ""\n'
    with PinfoldServer(tmp_path / "pinfold", config, "--workers", "3") as server:
        fetch(f"{server.url}/files/idna/{file.sha256}/{file.filename}")
        server.stop()
        server.start()
        server.stop()
        (tmp_path / "pinfold" / "pinfold.toml").write_text(f'{config}[indexes.main]\npolicy = "strict"\n')
        server.start()
        deadline = time.monotonic() + 10
        while [entry["action"] for entry in entries(server)][-1] != "decision.changed" and time.monotonic() < deadline:
            time.sleep(0.05)
        logged = entries(server)
    assert [entry["action"] for entry in logged] == [
        *("policy.changed", "file.served", "policy.changed", "decision.changed"),
    ]
    first, _, second, changed = logged
    assert (first["details"]["policy"], "before" in first["details"]) == ("baseline", False)
    assert second["details"] == {"policy": "strict", "before": first["policy_digest"]}
    assert (changed["details"]["to"], changed["details"]["cause"]) == ("refused", "policy.changed in index main")
    assert changed["policy_digest"] == second["policy_digest"]
