"""The signed audit log while several processes append to it, and after some were killed."""

import multiprocessing
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
            acknowledged += reported(receiver)
    log_entries(tmp_path, 1)
    assert len(acknowledged) >= ROUNDS
    assert set(acknowledged) <= set(versions_that_verify(tmp_path))
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_kill_9_of_whoever_takes_up_for_all_loses_nothing_and_enters_nothing_twice(
    tmp_path: Path, context: ForkServerContext
) -> None:
    log_entries(tmp_path)
    acknowledged: list[str] = []
    moments = random.Random(7)
    with ExitStack() as recorders:
        reports = []
        for _ in range(2):
            receiver, sender = context.Pipe(duplex=False)
            # None of them would take anything up itself before the test is over.
            arguments = (tmp_path, sender, 2, SECONDS)
            recorders.enter_context(
                running(context.Process(target=audit_processes.append_until_killed, args=arguments))
            )
            sender.close()
            reports.append(recorders.enter_context(receiver))
            acknowledged.append(receive(receiver))
        for _ in range(ROUNDS):
            ready, sender = context.Pipe(duplex=False)
            taker = context.Process(target=audit_processes.take_up_until_killed, args=(tmp_path, sender))
            with ready, running(taker):
                sender.close()
                assert receive(ready) == "ready"
                time.sleep(moments.uniform(0, 0.05))
                taker.kill()
            for report in reports:
                acknowledged += reported(report)
        taken_up = verified(tmp_path)
    assert taken_up.ok
    assert taken_up.last > ROUNDS
    log_entries(tmp_path, 1)
    assert set(acknowledged) <= set(versions_that_verify(tmp_path))


def versions_that_verify(root: Path) -> list[str]:
    """Return what all entries are about, which are whole and in order, and none of which is there twice."""
    answer = verified(root)
    assert answer.ok, answer.problems
    connection = sqlite3.connect(ledger_of(root))
    found = dict(connection.execute("SELECT seq, version FROM audit_entry").fetchall())
    connection.close()
    assert answer.last == len(found) == max(found)
    assert len(set(found.values())) == len(found), "entries were taken up twice"
    return list(found.values())


def reported(report: Any) -> list[str]:
    """Return what was reported by now."""
    found = []
    while report.poll():
        try:
            found.append(str(report.recv()))
        except (EOFError, OSError):
            break
    return found


def receive(report: Any) -> str:
    assert report.poll(SECONDS)
    return str(report.recv())
