"""The audit log of a real server: what it proves to somebody on another machine, and after the server was killed."""

import contextlib
import http.client
import json
import random
import threading
import time
import urllib.request
from collections import Counter

from tests.e2e.server import PinfoldServer


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
