"""What a process that records does once somebody did harm to its journal, or to what the ledger says of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.adapters.sqlite.ledgers import entry, intruding, journals, opened, verified

from pinfold.adapters.sqlite import audit_recorder
from pinfold.adapters.sqlite.audit_journal import Durable
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have entries wait for no others, and a ledger that failed asked again at once."""
    monkeypatch.setattr(audit_recorder, "DELAY", 0)
    monkeypatch.setattr(audit_recorder, "RETRY", 0)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as (ledger, _):
        yield ledger


async def go_on(log: SqliteAuditLog) -> None:
    while True:
        await log.append(entry(2))


@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda path: path.write_bytes(b"nonsense"), lambda path: path.write_bytes(b"")]
)
async def test_nothing_is_recorded_any_more_once_a_journal_lost_what_was_in_it(
    ledger: Database, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    log = SqliteAuditLog(ledger)
    async with asyncio.timeout(10):
        await log.append(entry(1))
        (journal,) = journals(tmp_path)
        harm(journal)
        with pytest.raises(StoreError, match="lost entries that were durable"):
            await go_on(log)
    with pytest.raises(StoreError, match="lost entries that were durable"):
        await log.close()
    assert verified(tmp_path).ok


async def harmed(ledger: Database, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Durable], None]) -> StoreError:
    """Return why nothing more is recorded after somebody did harm before what was recorded was taken up."""
    log = SqliteAuditLog(ledger)
    append = log._recorder._journals._append

    def appended(*arguments: Any) -> Any:
        size, durable = append(*arguments)
        harm(durable)
        return size, durable

    monkeypatch.setattr(log._recorder._journals, "_append", appended)
    async with asyncio.timeout(10):
        with pytest.raises(StoreError) as error:
            await go_on(log)
    with pytest.raises(StoreError):
        await log.close()
    return error.value


async def test_nor_once_a_journal_has_what_its_process_did_not_write(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on_writing(durable: Durable) -> None:
        content = durable.journal.path.read_bytes()[: durable.end]
        with durable.journal.path.open("r+b") as intruder:
            intruder.write(2 * content)

    error = await harmed(ledger, monkeypatch, go_on_writing)
    assert "the ledger claims entries that were never in" in str(error)


@pytest.mark.parametrize("beyond", [0, 1, 900_000])
async def test_nor_once_the_ledger_claims_to_have_what_it_did_not_take_up(
    ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beyond: int
) -> None:
    def claim(durable: Durable) -> None:
        with intruding(tmp_path) as intruder:
            row = [durable.journal.path.name, durable.end + beyond]
            intruder.execute("REPLACE INTO audit_journal VALUES (?, ?)", row)

    error = await harmed(ledger, monkeypatch, claim)
    assert "says of journals is not what was signed" in str(error)
    assert not verified(tmp_path).ok
