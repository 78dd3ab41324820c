"""Whichever index leads, and however often entries are looked through, the same ones are found."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from tests.fakes.audit_log import SERVED, FakeAuditLog

from pinfold.adapters.sqlite import audit_search, schema
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_search import Search, planned
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.ports.audit_log import AuditQuery

ENTRIES = 300
VALUES: dict[str, list[Any]] = {
    "action": [Action.FILE_SERVED, Action.FILE_REFUSED, Action.FILE_BROKEN_OFF],
    "index": ["main", "strict", None],
    "project": ["six", "idna", "attrs", None],
    "version": ["1.0", "2.0", None],
    "filename": ["one.whl", "two.whl", "three.whl", None],
    "sha256": ["a" * 64, "b" * 64, None],
    "decision": ["allow", "warn", "deny", None],
    "rule": ["pinned", "contents", None],
    "reference": ["D-1", "D-2", None],
    "actor": ["ci", "kim"],
    "address": ["192.0.2.1", "192.0.2.2", None],
}


def entries(chance: random.Random) -> list[Entry]:
    """Return entries of which some files are asked for all the time, some seldom, some only at first."""
    made = []
    for number in range(ENTRIES):
        values = {name: chance.choices(some, [2**-n for n in range(len(some))])[0] for name, some in VALUES.items()}
        if number > ENTRIES // 3 and values["project"] == "idna":
            values["project"] = "six"
        actor = Actor(values.pop("actor"), values.pop("address"))
        made.append(replace(SERVED, actor=actor, time=SERVED.time + timedelta(minutes=number), **values))
    return made


def queries(chance: random.Random) -> list[AuditQuery]:
    made = []
    for _ in range(400):
        names = chance.sample(sorted(VALUES), chance.choice([0, 1, 1, 2, 3]))
        moments = [None, *(SERVED.time + timedelta(minutes=chance.randrange(ENTRIES)) for _ in range(2))]
        made.append(
            AuditQuery(
                **{name: chance.choice([*filter(None, VALUES[name]), "absent"]) for name in names},
                since=chance.choice(moments),
                until=chance.choice(moments),
                after_seq=chance.choice([0, 0, chance.randrange(ENTRIES)]),
                before_seq=chance.choice([None, None, chance.randrange(ENTRIES), 2**70]),
                newest_first=chance.random() < 0.5,
                limit=chance.choice([1, 2, 10, ENTRIES]),
            )
        )
    return made


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=False)
    yield ledger
    await ledger.close()


@pytest.mark.parametrize("few", [2, 40, audit_search.FEW])
async def test_what_is_found_is_what_matches(ledger: Database, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(audit_search, "FEW", few)
    chance, plain, log = random.Random(few), FakeAuditLog(), SqliteAuditLog(ledger)
    made = entries(chance)
    for one in made:
        await plain.append(one)
    await ledger.write(lambda database: [append_entry(database, one) for one in made])
    lengths = set()
    for query in queries(chance):
        expected = [recorded.seq for recorded in await plain.search(query)]
        assert [recorded.seq for recorded in await log.search(query)] == expected, query
        lengths.add(len(expected))
    assert len(lengths) > 20


def test_the_entries_of_files_are_looked_through_further_and_further() -> None:
    search = Search("", (), "", (), 0, first=11, last=1000, width=10, limit=5, newest_first=True)
    spans = [(991, 1000), (911, 990), (271, 910), (11, 270)]
    assert list(search.spans()) == spans
    oldest_first = replace(search, newest_first=False)
    assert list(oldest_first.spans()) == [(11, 20), (21, 100), (101, 740), (741, 1000)]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_of_a_file_that_is_asked_for_all_the_time_few_entries_are_read(
    ledger: Database, newest_first: bool
) -> None:
    one = replace(SERVED, project="six")
    await ledger.write(lambda database: [append_entry(database, one) for _ in range(1000)])

    def plan(database: sqlite_utils.Database) -> Search:
        return planned(database, AuditQuery(project="six", limit=10, newest_first=newest_first))

    search = await ledger.read(plan)
    assert search.width < 50
    expected = range(1000, 990, -1) if newest_first else range(1, 11)
    assert await ledger.read(search.run) == list(expected)
