import random
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
import sqlite_utils
from tests.unit.adapters.sqlite.ledgers import append

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite import audit_search
from pinfold.adapters.sqlite.audit_log import NUMBER_OF, SqliteAuditLog
from pinfold.adapters.sqlite.audit_search import planned
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.canonical import canonical_bytes
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import AuditQuery

ENTRY = Entry(Action.FILE_SERVED, datetime(2026, 3, 24, 12, tzinfo=UTC), Actor(), project="idna", sha256="a" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Database]:
    ledger, _ = await open_ledger(path, SigningKeys(path.with_name("keys")))
    yield ledger
    await ledger.close()


async def test_the_canonical_bytes_are_what_is_read(ledger: Database) -> None:
    await append(ledger, ENTRY, ENTRY)
    bodies = await ledger.read(
        lambda database: database.execute("SELECT body FROM audit_entry ORDER BY seq").fetchall()
    )
    assert bodies == [(canonical_bytes(1, ENTRY),), (canonical_bytes(2, ENTRY),)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET template = 2",
        "UPDATE audit_client SET actor = 'somebody else'",
        "UPDATE audit_template SET project = 'innocent'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = 1",
        "REPLACE INTO audit SELECT * FROM audit",
        "INSERT INTO audit SELECT * FROM audit WHERE true ON CONFLICT DO UPDATE SET template = 2",
    ],
)
async def test_what_was_entered_stays(ledger: Database, sql: str) -> None:
    await append(ledger, ENTRY)
    with pytest.raises(StoreError, match="only grows"):
        await ledger.write(lambda database: database.execute(sql))
    assert [recorded.entry for recorded in await SqliteAuditLog(ledger).search(AuditQuery())] == [ENTRY]


async def test_an_entry_that_cannot_be_kept_takes_no_number(ledger: Database) -> None:
    log = SqliteAuditLog(ledger)
    with pytest.raises(TypeError):
        await log.append(replace(ENTRY, details={"strange": object()}))
    assert await (await log.append(ENTRY)).number() == 1
    await log.close()


async def test_an_entry_that_was_tampered_with_is_an_error(ledger: Database, path: Path) -> None:
    await append(ledger, ENTRY)
    with sqlite3.connect(path) as intruder:
        intruder.execute("DROP TRIGGER audit_template_is_not_changed")
        intruder.execute("UPDATE audit_template SET text = substr(text, 2)")
    intruder.close()
    with pytest.raises(StoreError, match="is damaged"):
        await SqliteAuditLog(ledger).search(AuditQuery())


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (AuditQuery(reference="D-7QK2M5A", rule="pinned"), "audit_of_template"),
        (AuditQuery(sha256="a" * 64, action="file.refused"), "audit_of_template"),
        (AuditQuery(project="idna", action="file.served", decision="allow"), "audit_of_template"),
        (AuditQuery(version="3.7", since=ENTRY.time), "audit_of_template"),
        (AuditQuery(action="file.served", actor="kim"), "audit_of_client"),
        (AuditQuery(index="main"), "audit_of_template"),
        (AuditQuery(address="192.0.2.1", decision="allow"), "audit_of_client"),
        (AuditQuery(decision="deny", index="main", after_seq=10), "audit_of_template"),
        (AuditQuery(until=ENTRY.time), "audit_time"),
        (AuditQuery(since=ENTRY.time, newest_first=False), "audit_time"),
    ],
)
async def test_of_conditions_that_are_alike_the_most_telling_one_leads(
    ledger: Database, query: AuditQuery, index: str
) -> None:
    assert f"INDEX {index} (" in (await plan(ledger, query))[0]


async def plan(ledger: Database, query: AuditQuery) -> list[str]:
    def explain(database: sqlite_utils.Database) -> list[str]:
        search = planned(database, query)
        values = [*search.values, search.first, search.last, search.limit]
        return [step for *_, step in database.execute(f"EXPLAIN QUERY PLAN {search.sql}", values)]

    return await ledger.read(explain)


async def test_the_rarest_condition_leads_and_the_others_look_at_what_is_shared(ledger: Database) -> None:
    log = SqliteAuditLog(ledger)
    for number in range(20):
        decision = "deny" if number == 7 else "allow"
        await append(ledger, replace(ENTRY, decision=decision, actor=Actor("kim"), index="main"))
    query = AuditQuery(project="idna", actor="kim", decision="deny", index="main")
    steps = await plan(ledger, query)
    assert "INDEX audit_of_template (template=? AND seq>? AND seq<?)" in steps[0]
    assert any("audit_template USING INDEX audit_template_project (project=?)" in step for step in steps), steps
    assert any("audit_client USING INTEGER PRIMARY KEY" in step for step in steps), steps
    assert [recorded.seq for recorded in await log.search(query)] == [8]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_span_that_is_open_where_entries_are_shown_first_needs_no_index(
    ledger: Database, newest_first: bool
) -> None:
    query = AuditQuery(since=ENTRY.time) if newest_first else AuditQuery(until=ENTRY.time, newest_first=False)
    assert await plan(ledger, query) == ["SEARCH a USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]


async def test_a_span_of_long_ago_is_found_whole_whatever_order_times_came_in(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every span long enough to be narrowed to numbers first, as spans are among millions of entries."""
    monkeypatch.setattr(audit_search, "FEW", 3)
    log, chance = SqliteAuditLog(ledger), random.Random(7)
    minutes = [number + chance.randrange(-4, 5) for number in range(60)]
    for minute in minutes:
        await append(ledger, replace(ENTRY, time=ENTRY.time + timedelta(minutes=minute), index="main"))
    moments = [None, *(ENTRY.time + timedelta(minutes=minute) for minute in (-9, 0, 11, 30, 55, 99))]
    for since, until, newest_first, project in product(moments, moments, (True, False), (None, "idna")):
        query = AuditQuery(since=since, until=until, newest_first=newest_first, project=project, limit=1000)
        times = {seq: ENTRY.time + timedelta(minutes=minute) for seq, minute in enumerate(minutes, 1)}
        expected = [seq for seq, time in times.items() if (not since or since <= time) and (not until or time < until)]
        found = [recorded.seq for recorded in await log.search(query)]
        assert found == (expected[::-1] if newest_first else expected), query


async def test_an_entry_s_number_is_not_sought_among_all_that_its_client_asked_for(ledger: Database) -> None:
    explained = f"EXPLAIN QUERY PLAN {NUMBER_OF}"
    steps = await ledger.read(lambda database: database.execute(explained, ["", b"", b"", None]).fetchall())
    assert [step for *_, step in steps if " audit " in step] == ["SEARCH audit USING INDEX audit_time (time=?)"]
