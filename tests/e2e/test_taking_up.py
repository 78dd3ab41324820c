"""Several workers, and the process that has the ledger take up what they record: killed, stopped, and at a loss."""

import os
import random
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from tests.e2e.server import PinfoldServer
from tests.e2e.without_pause import without_pause

SECONDS = 30
"""More than any of it takes on a busy machine."""


@pytest.fixture
def server(upstream, tmp_path) -> Iterator[PinfoldServer]:
    config = f'[upstreams.pypi]\nurl = "{upstream.url}"\n'
    with PinfoldServer(tmp_path / "pinfold", config, "--workers", "2") as server:
        yield server


@pytest.fixture
def wheel(server, upstream) -> str:
    file = upstream.add_file("six", "1.0")
    return f"{server.url}/files/six/{file.sha256}/{file.filename}"


def fetch(address: str) -> int:
    """Return the status of an answer."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@contextmanager
def fetched_without_pause(address: str) -> Iterator[list[int]]:
    """Yield how downloads are answered, each over a connection of its own, which either worker may get."""
    answers: list[int] = []
    with without_pause(lambda _: answers.append(fetch(address))):
        yield answers


def taker(server: PinfoldServer) -> int | None:
    """Return the process that has the ledger open, but nothing that workers serve from."""
    for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        names = open_files(Path(f"/proc/{child}/fd"))
        if "ledger.db" in names and "catalog.db" not in names:
            return int(child)
    return None


def open_files(folder: Path) -> set[str]:
    found = set()
    # Files are closed meanwhile, and processes end.
    with suppress(OSError):
        for link in list(folder.iterdir()):
            with suppress(OSError):
                found.add(link.readlink().name)
    return found


def present_taker(server: PinfoldServer, after: int | None = None) -> int:
    deadline = time.monotonic() + SECONDS
    while (found := taker(server)) in (None, after):
        assert time.monotonic() < deadline, "nobody takes up for all"
        time.sleep(0.05)
    return found


def entered(server: PinfoldServer) -> int:
    """Return how many downloads the ledger has, without having it take up anything."""
    with closing(sqlite3.connect(f"file:{server.data / 'ledger.db'}?mode=ro", uri=True)) as ledger:
        (number,) = ledger.execute("SELECT count(*) FROM audit_entry WHERE action = 'file.served'").fetchone()
        return int(number)


def soon_entered(server: PinfoldServer, number: int) -> None:
    deadline = time.monotonic() + SECONDS
    while entered(server) != number:
        assert time.monotonic() < deadline, f"{entered(server)} entries of {number} downloads"
        time.sleep(0.05)


def test_one_that_is_killed_is_replaced_and_each_download_is_entered_once(server, wheel):
    chance, victim = random.Random(20260324), None
    with fetched_without_pause(wheel) as answers:
        for _ in range(2):
            victim = present_taker(server, after=victim)
            time.sleep(chance.uniform(0.5, 1))
            os.kill(victim, signal.SIGKILL)
        present_taker(server, after=victim)
        time.sleep(0.5)
    assert set(answers) == {200}
    soon_entered(server, len(answers))
    assert server.stop() == 0
    assert len(server.audited("--action", "file.served", "--limit", "100000")) == len(answers)
    assert server.run("audit", "verify")


def test_while_it_is_stopped_workers_take_up_what_they_record(server, wheel):
    stopped = present_taker(server)
    # While there is nothing to take up, so that it does not hold the ledger.
    os.kill(stopped, signal.SIGSTOP)
    try:
        with fetched_without_pause(wheel) as answers:
            time.sleep(1)
        assert set(answers) == {200}
        soon_entered(server, len(answers))
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert server.stop() == 0


def test_a_ledger_that_was_tampered_with_soon_ends_all_serving_by_every_worker(server, wheel):
    assert fetch(wheel) == 200
    soon_entered(server, 1)
    with closing(sqlite3.connect(server.data / "ledger.db")) as intruder, intruder:
        for (name,) in intruder.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            intruder.execute(f"DROP TRIGGER {name}")
        intruder.execute("DELETE FROM audit")
    deadline = time.monotonic() + SECONDS
    with fetched_without_pause(wheel) as answers:
        # A worker that was asked for nothing yet learns of it within 0.3 s of its first entry. Each connection is
        # another worker's, as it comes: of both, none serves any more.
        while [fetch(wheel) for _ in range(32)] != [503] * 32:
            assert time.monotonic() < deadline, "it is served on"
    assert set(answers) <= {200, 503}
    assert [fetch(wheel) for _ in range(32)] == [503] * 32
    assert "pinfold audit verify tells what was changed" in server.log.read_text()
    assert [fetch(f"{server.url}/readyz") for _ in range(32)] == [503] * 32
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=SECONDS) as metrics:
        told = dict(line.split() for line in metrics.read().decode().splitlines() if line.startswith("pinfold_audit_"))
    assert told["pinfold_audit_take_up_failed"] == "1.0"
    assert float(told["pinfold_audit_waiting_entries"]) > 0
    assert float(told["pinfold_audit_waiting_seconds"]) > 0
