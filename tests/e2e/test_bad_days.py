"""Kill, stop, stall and damage: what happens to a running server and its store, and to those who use it."""

import contextlib
import hashlib
import http.client
import json
import random
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request

import pytest
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import Fault

MIB = 1024 * 1024


def noise(size, seed=b"noise"):
    return hashlib.shake_128(seed).digest(size)


def url(server, file):
    return f"{server.url}/files/{file.project}/{file.sha256}/{file.filename}"


def fetch(address):
    with urllib.request.urlopen(address, timeout=30) as response:
        return response.read()


def refusal(address):
    """Return status and reason of an answer that is an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(address)
    with caught.value as error:
        return error.code, error.reason


def test_sigterm_lets_a_download_finish_and_exits_with_0(server, upstream):
    file = upstream.add_file("slow", "1.0", content=noise(MIB))
    upstream.befall(file, Fault(drip=(MIB // 10, 0.15)))
    got = []
    client = threading.Thread(target=lambda: got.append(fetch(url(server, file))))
    client.start()
    while not upstream.requests_for(file):
        time.sleep(0.02)
    time.sleep(0.2)
    assert server.stop() == 0
    client.join(30)
    assert got == [file.content]


def test_a_client_that_reads_a_byte_a_second_holds_up_nobody(server, upstream):
    file = upstream.add_file("big", "1.0", content=noise(8 * MIB))
    with contextlib.closing(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /files/big/{file.sha256}/{file.filename} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        for _ in range(2):
            slow.recv(1)
            assert fetch(url(server, file)) == file.content
            time.sleep(0.5)


def test_kill_9_at_any_moment_leaves_nothing_half_written_and_no_served_file_unrecorded(upstream, tmp_path):
    config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n'
    files = [upstream.add_file("many", f"1.{n}", content=noise(MIB, bytes([n]))) for n in range(8)]
    chance = random.Random(20260324)
    received = []
    server = PinfoldServer(tmp_path / "pinfold", config)
    for _ in range(5):
        server.start()
        base = server.url

        def build(file, base=base):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if fetch(f"{base}/files/many/{file.sha256}/{file.filename}") == file.content:
                    received.append(file.filename)

        builds = [threading.Thread(target=build, args=(file,)) for file in files]
        for thread in builds:
            thread.start()
        time.sleep(chance.uniform(0, 0.3))
        server.kill()
        for thread in builds:
            thread.join(30)
    for path in (server.data / "blobs").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    # What the last one recorded just before it was killed is in its journal until somebody asks.
    assert json.loads(server.run("audit", "verify", "--json"))["ok"]
    with contextlib.closing(sqlite3.connect(server.data / "ledger.db")) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        numbers = [number for (number,) in ledger.execute("SELECT seq FROM audit ORDER BY seq")]
        recorded = [name for (name,) in ledger.execute("SELECT filename FROM audit_entry WHERE action = 'file.served'")]
    assert numbers == list(range(1, len(numbers) + 1))
    for filename in set(received):
        assert recorded.count(filename) >= received.count(filename)
    with server:
        assert fetch(url(server, files[0])) == files[0].content


@pytest.mark.parametrize("name", ["ledger.db", "catalog.db"])
def test_a_damaged_database_is_said_and_nothing_is_served(server, upstream, name):
    upstream.add_file("six", "1.0")
    assert fetch(f"{server.simple()}six/")
    server.stop()
    for beside in server.data.glob(f"{name}-*"):
        beside.unlink()
    (server.data / name).write_bytes(b"this is no database" * 1000)
    with pytest.raises(AssertionError, match=r"not a database|damaged|malformed"):
        server.start()


def test_every_worker_refuses_within_a_second_of_a_quarantine(upstream, tmp_path):
    file = upstream.add_file("six", "1.0")
    config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n'
    with PinfoldServer(tmp_path / "pinfold", config, "--workers", "2") as server:
        for _ in range(8):
            assert fetch(url(server, file)) == file.content
        server.run("quarantine", "add", "six", "--reason", "found bad")
        time.sleep(1)
        for _ in range(16):
            status, reason = refusal(url(server, file))
            assert (status, "found bad" in reason) == (403, True)


def test_no_audit_entry_no_bytes(server, upstream):
    file = upstream.add_file("six", "1.0")
    # Where the folder of the journals should be, no entry becomes durable.
    in_the_way = server.data / "journal"
    in_the_way.write_bytes(b"")
    assert refusal(url(server, file))[0] == 503
    in_the_way.unlink()
    assert fetch(url(server, file)) == file.content


def test_a_ledger_that_takes_no_entries_soon_ends_all_serving_and_loses_none(server, upstream):
    file = upstream.add_file("six", "1.0")
    served = 0

    def serve_until_refused():
        nonlocal served
        while time.monotonic() < deadline:
            try:
                assert fetch(url(server, file)) == file.content
            except urllib.error.HTTPError as error:
                with error:
                    return error.code
            served += 1
            time.sleep(0.1)
        raise AssertionError("it went on serving")

    deadline = time.monotonic() + 60
    with contextlib.closing(sqlite3.connect(server.data / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert serve_until_refused() == 503
        other.execute("ROLLBACK")
    assert served
    time.sleep(1.5)
    assert fetch(url(server, file)) == file.content
    assert len(server.audited("--action", "file.served", "--limit", "1000")) == served + 1
