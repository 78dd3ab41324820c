"""The names in use, as a trigger keeps them beside the audit log."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.audit_log import SERVED
from tests.unit.adapters.sqlite.ledgers import append

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.names_in_use import SqliteNamesInUse
from pinfold.domain.audit_entry import Action, Entry
from pinfold.ports.names_in_use import Use


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    yield ledger
    await ledger.close()


async def test_what_is_served_is_in_use_once_and_for_all_processes(ledger: Database) -> None:
    names = SqliteNamesInUse(ledger)
    assert await names.uses() == ()
    for project in ("requests", "six", "requests", "idna"):
        await append(ledger, replace(SERVED, project=project, filename=f"{project}-1.tar.gz"))
    await append(ledger, replace(SERVED, project="six", filename="six-2.tar.gz"))
    await append(ledger, replace(SERVED, action=Action.FILE_REFUSED, project="sixx"))
    names._kept.distrust()
    known = await names.uses()
    assert known == (Use("main", "requests"), Use("main", "six"), Use("main", "idna"))
    names._kept.distrust()
    assert await names.uses() is known
    assert await SqliteNamesInUse(ledger).uses() == known


async def test_each_index_uses_what_it_served_itself(ledger: Database) -> None:
    served = (Use("lax", "reqeusts"), Use("main", "requests"), Use("lax", "requests"))
    for use in served:
        await append(ledger, _serving(use))
    assert await SqliteNamesInUse(ledger).uses() == served


def _serving(use: Use) -> Entry:
    return replace(SERVED, index=use.index, project=use.project, filename=f"{use.project}-1.tar.gz")
