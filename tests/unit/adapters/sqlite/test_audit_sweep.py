"""What no entry refers to any more is dropped, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlite_utils
from tests.fakes.clock import NOON
from tests.fakes.evidence import SNAPSHOT, a_file, evidence_of
from tests.unit.adapters.sqlite.ledgers import append, entry, keys_of, ledger_of, verified

from pinfold.adapters.sqlite import audit_sweep
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_sweep import sweep
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.domain.advisory import Advisories
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.evidence import Evidence, Known

TABLES = ("evidence", "evidence_part", "audit_client", "audit_template", "audit_verdicts")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_sweep, "PORTION", 3)
    monkeypatch.setattr(audit_sweep, "BATCH", 2)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    yield ledger
    await ledger.close()


def a_piece(number: int, hour: int = 0) -> Evidence:
    """Evidence of one of many files, with an advisory snapshot of some hour, which they all share."""
    file = a_file(filename=f"litellm-1.{number}.tar.gz", sha256=f"{number:064x}")
    snapshot = replace(SNAPSHOT, taken_at=NOON + timedelta(hours=hour), sha256=f"{hour:064x}")
    return evidence_of(file, advisories=Known(Advisories((snapshot,))))


async def append_with(ledger: Database, number: int, piece: Evidence, client: str = "ci") -> None:
    verdicts = ({"rule": "minimum-age", "outcome": "pass", "effect": "allow", "reason": client},)
    one = replace(entry(number), actor=Actor(client), verdicts=verdicts, evidence_digest=piece.digest())
    await append(ledger, one, evidence=piece)


async def counts(ledger: Database) -> dict[str, int]:
    def work(database: sqlite_utils.Database) -> dict[str, int]:
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}

    return await ledger.read(work)


async def prune(ledger: Database, through: int) -> None:
    """Delete entries as pruning does, with one that says so."""
    about = replace(entry(0), action=Action.AUDIT_PRUNED, details={"through": through}, evidence_digest=None)
    await append(ledger, about)
    await ledger.write(lambda database: database.execute("UPDATE audit_state SET pruned = ?", [through]))
    await ledger.write(lambda database: database.execute("DELETE FROM audit WHERE seq <= ?", [through]))


async def test_a_snapshot_adds_one_part_to_the_evidence_of_many_files(ledger: Database) -> None:
    parts = []
    for hour in range(3):
        for number in range(20):
            await append_with(ledger, number, a_piece(number, hour))
        parts.append((await counts(ledger))["evidence_part"])
    assert (await counts(ledger))["evidence"] == 60
    assert parts[0] < 2 * 20
    assert parts == [parts[0], parts[0] + 1, parts[0] + 2]


async def test_what_remains_keeps_its_evidence_and_the_rest_goes(ledger: Database, tmp_path: Path) -> None:
    for number in range(10):
        await append_with(ledger, number, a_piece(number % 5 if number < 7 else number), f"client-{number}")
    await prune(ledger, 6)
    assert await sweep(ledger) > 0
    kept = [a_piece(number % 5 if number < 7 else number) for number in (6, 7, 8, 9)]
    assert await SqliteAuditLog(ledger).evidence([piece.digest() for piece in kept]) == {
        piece.digest(): piece for piece in kept
    }
    found = await counts(ledger)
    assert found["evidence"] == 4
    # Those of four entries, and of the one about the pruning.
    assert (found["audit_client"], found["audit_template"], found["audit_verdicts"]) == (5, 5, 5)
    assert await sweep(ledger) == 0
    await ledger.close()
    assert verified(tmp_path).ok


async def test_what_is_referred_to_again_meanwhile_stays(ledger: Database, tmp_path: Path) -> None:
    for number in range(40):
        await append_with(ledger, number, a_piece(number), f"client-{number}")
    await prune(ledger, 40)

    async def again() -> None:
        for number in range(40):
            await append_with(ledger, number, a_piece(number), f"client-{number}")

    await asyncio.gather(sweep(ledger), again())
    digests = [a_piece(number).digest() for number in range(40)]
    assert set(await SqliteAuditLog(ledger).evidence(digests)) == set(digests)
    await ledger.close()
    assert verified(tmp_path).ok


async def test_an_empty_log_has_nothing_to_drop(ledger: Database) -> None:
    assert await sweep(ledger) == 0


async def test_a_number_is_never_given_twice(ledger: Database) -> None:
    async def highest() -> list[int]:
        return await ledger.read(
            lambda database: [database.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in TABLES]
        )

    await append_with(ledger, 0, a_piece(0))
    await append_with(ledger, 1, a_piece(1), client="only here")
    before = await highest()
    await prune(ledger, through=2)
    assert await sweep(ledger) > 0
    await append_with(ledger, 2, a_piece(2), client="another")
    assert all(new > old for new, old in zip(await highest(), before, strict=True))
