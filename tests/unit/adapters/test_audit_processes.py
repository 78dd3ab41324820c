"""The signed audit log while several processes append to it, and after some were killed."""

import multiprocessing
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from tests.unit.adapters import audit_processes
from tests.unit.adapters.sqlite.ledgers import ledger_of, log_entries, verified

from pinfold.audit.findings import Verification

SECONDS = 60
"""More than any of it takes on a busy machine."""
ROUNDS = 20


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    # Twenty processes start in a fraction of the time that as many interpreters would take.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.adapters.audit_processes"])
    return context


@contextmanager
def running(process: BaseProcess) -> Iterator[BaseProcess]:
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(SECONDS)


def test_four_processes_that_start_and_append_at_once_stay_in_order(tmp_path: Path, context: ForkServerContext) -> None:
    pipes = [context.Pipe() for _ in range(4)]
    crew = [context.Process(target=audit_processes.append, args=(tmp_path, theirs, 100)) for _, theirs in pipes]
    for process in crew:
        process.start()
    for ours, _ in pipes:
        ours.send("go")
    for process in crew:
        process.join(SECONDS)
    assert [process.exitcode for process in crew] == [0] * 4
    assert verified(tmp_path) == Verification(1, 400, 400)
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path, context: ForkServerContext) -> None:
    log_entries(tmp_path)
    acknowledged: list[str] = []
    moments = random.Random(7)
    for _ in range(ROUNDS):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=audit_processes.append_until_killed, args=(tmp_path, sender, 8))
        with receiver, running(process):
            sender.close()
            acknowledged.append(receive(receiver))
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            while receiver.poll():
                try:
                    acknowledged.append(receiver.recv())
                except (EOFError, OSError):
                    break
    log_entries(tmp_path, 1)
    answer = verified(tmp_path)
    assert answer.ok, answer.problems
    connection = sqlite3.connect(ledger_of(tmp_path))
    found = dict(connection.execute("SELECT seq, version FROM audit_entry").fetchall())
    connection.close()
    assert answer.last == len(found) == max(found)
    assert len(acknowledged) >= ROUNDS
    assert set(acknowledged) <= set(found.values())
    assert len(set(found.values())) == len(found), "entries were taken up twice"
    assert len(list((tmp_path / "keys").iterdir())) == 1


def receive(report: Any) -> str:
    assert report.poll(SECONDS)
    return str(report.recv())
