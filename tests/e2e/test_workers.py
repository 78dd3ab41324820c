"""Workers come and go while clients ask: nobody is refused a connection."""

import http.client
import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.e2e.server import PinfoldServer
from tests.e2e.without_pause import without_pause
from tests.fakes.upstream import Fault

PROJECT = "six"
MIB = 1024 * 1024


def configure(url: str, policy: str = "") -> str:
    return f'[upstreams.pypi]\nurl = "{url}"\n[indexes.main]\npolicy = "{policy or "baseline"}"\n'


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def server(request, upstream, tmp_path) -> Iterator[PinfoldServer]:
    upstream.add_file(PROJECT, "1.0")
    with PinfoldServer(tmp_path / "pinfold", configure(upstream.url), "--workers", str(request.param)) as server:
        yield server


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode(errors="replace")


def eventually(what: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds:g} s"
        time.sleep(0.05)


@contextmanager
def asked_without_pause(url: str, threads: int = 4) -> Iterator[None]:
    """Ask on a new connection each time, from several threads, and insist that every answer is whole."""
    failures: list[str] = []
    answers = [0] * threads

    def ask_once(number: int) -> None:
        try:
            assert PROJECT in ask(url)
            answers[number] += 1
        except (OSError, http.client.HTTPException, AssertionError) as error:
            failures.append(f"{type(error).__name__}: {error}")

    with without_pause(ask_once, threads):
        yield
    assert not failures, f"{len(failures)} failed beside {sum(answers)} answers: {failures[:3]}"
    assert all(answers), f"a thread got no answer at all: {answers}"


def test_all_workers_are_replaced_and_no_connection_is_refused(server):
    first = children(server.pid)
    with asked_without_pause(f"{server.simple()}{PROJECT}/"):
        for _ in range(3):
            before = children(server.pid)
            os.kill(server.pid, signal.SIGHUP)
            eventually(lambda before=before: not children(server.pid) & before)
    assert len(children(server.pid)) == len(first)
    assert server.stop() == 0


def test_who_asks_while_a_dead_worker_is_replaced_only_waits(server):
    count = len(children(server.pid))
    for victim in children(server.pid):
        os.kill(victim, signal.SIGKILL)
    for _ in range(8):
        assert PROJECT in ask(f"{server.simple()}{PROJECT}/")
    eventually(lambda: len(children(server.pid)) == count)
    assert server.log.read_text().count("died with status -9; starting another") == count
    assert server.stop() == 0


def test_a_changed_policy_holds_after_a_reload_and_a_wrong_one_leaves_the_old(server, upstream):
    file = upstream.add_file(PROJECT, "2.0", upload_time=datetime.now(UTC) - timedelta(hours=30))
    wheel = f"{server.url}/files/{PROJECT}/{file.sha256}/{file.filename}"
    with pytest.raises(urllib.error.HTTPError, match="minimum-age"):
        ask(wheel)
    lenient = server.folder / "lenient.toml"
    lenient.write_text("[[rule]]\nid = 'minimum-age'\nparams = { days = 'few' }\n")
    before = children(server.pid)
    server.config.write_text(configure(upstream.url, str(lenient)))
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: "the old go on" in server.log.read_text())
    assert children(server.pid) == before, "a policy with a mistake cost workers"
    lenient.write_text("[[rule]]\nid = 'minimum-age'\nparams = { days = 1 }\n")
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: not children(server.pid) & before)
    assert ask(wheel)


def test_a_wrong_configuration_is_said_and_changes_nothing(server):
    before = children(server.pid)
    server.config.write_text("[server]\nwokers = 3\n")
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: "what held before goes on" in server.log.read_text())
    assert "workers" in server.log.read_text(), "the nearest known key is not named"
    assert children(server.pid) == before
    assert PROJECT in ask(f"{server.simple()}{PROJECT}/")


def test_workers_do_not_outlive_their_supervisor(server):
    workers = children(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_port_that_is_taken_is_refused_even_where_it_would_be_shared(server, upstream):
    port = server.url.rpartition(":")[2]
    server.run("serve", "--port", port, "--workers", "2", status=2)


@pytest.fixture
def two_workers(upstream, tmp_path) -> Iterator[PinfoldServer]:
    policy = tmp_path / "open.toml"
    policy.write_text("[[rule]]\nid = 'hash-changed'\n")
    with PinfoldServer(tmp_path / "pinfold", configure(upstream.url, str(policy)), "--workers", "2") as server:
        yield server


def fetch_at_once(url: str, clients: int = 16) -> list[bytes]:
    def fetch(_: int) -> bytes:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()

    with ThreadPoolExecutor(clients) as at_once:
        return list(at_once.map(fetch, range(clients)))


def test_the_upstream_is_asked_once_for_a_large_file_whichever_worker_is(upstream, two_workers):
    content = random.Random(1).randbytes(4 * MIB)
    file = upstream.add_file("big", "1.0", content=content)
    upstream.befall(file, Fault(drip=(MIB // 4, 0.1)))
    received = fetch_at_once(f"{two_workers.url}/files/big/{file.sha256}/{file.filename}")
    assert all(one == content for one in received)
    assert len(upstream.requests_for(file)) == 1


def test_the_upstream_is_asked_once_for_a_new_page_whichever_worker_is(upstream, two_workers):
    upstream.add_file("many", "1.0")
    upstream.befall(upstream.page_path("many"), Fault(delay=0.5))
    assert len(set(fetch_at_once(f"{two_workers.simple()}many/"))) == 1
    assert len(upstream.requests_for(upstream.page_path("many"))) == 1


def test_a_worker_that_breaks_off_leaves_nothing_that_keeps_others_from_fetching(upstream, two_workers):
    content = random.Random(2).randbytes(2 * MIB)
    file = upstream.add_file("big", "1.0", content=content)
    upstream.befall(file, Fault(content=bytes(len(content)), times=1))
    url = f"{two_workers.url}/files/big/{file.sha256}/{file.filename}"
    with pytest.raises((urllib.error.HTTPError, http.client.IncompleteRead)):
        fetch_at_once(url, clients=1)
    assert fetch_at_once(url) == [content] * 16
