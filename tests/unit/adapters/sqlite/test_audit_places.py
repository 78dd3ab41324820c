"""How far journals were taken up, and whoever writes the ledger's file but not in the name of its key."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlite_utils
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.adapters.sqlite.ledgers import (
    abandon,
    entry,
    intruding,
    journals,
    ledger_of,
    log_entries,
    rotate,
    told,
    verified,
)

from pinfold.adapters.filesystem.journal import found
from pinfold.adapters.sqlite import audit_places, schema
from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import EntryJournal, folder_of
from pinfold.audit.findings import Kind, Verification
from pinfold.domain.errors import StoreError

TAMPERED = "says of journals is not what was signed"


def ends(root: Path) -> list[tuple[str, list[int]]]:
    """Return the name of each journal, and the places after its records."""
    return [(journal.path.name, [end for _, end in journal.records()]) for journal in found(folder_of(ledger_of(root)))]


def record(journal: EntryJournal, *numbers: int) -> None:
    drafts = [Draft.of(entry(number), with_evidence=False) for number in numbers]
    journal.append(journal.encode([(draft, None) for draft in drafts]))


def tamper(root: Path, sql: str, *values: object) -> None:
    with intruding(root) as intruder:
        assert intruder.execute(sql, values).rowcount == 1


def refused(root: Path) -> None:
    """Have the ledger take up nothing, whatever is appended to it, and say so when it is verified."""
    for _ in range(2):
        with pytest.raises(StoreError, match=TAMPERED):
            log_entries(root, 1)
    assert Kind.MALFORMED in {kind for kind, _ in told(verified(root))}


def test_a_journal_that_is_claimed_before_anything_of_it_was_taken_up_is_not_passed_over(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2), entry(3))
    ((name, places),) = ends(tmp_path)
    for place in places:
        tamper(tmp_path, "INSERT INTO audit_journal VALUES (?, ?)", name, place)
        refused(tmp_path)
        tamper(tmp_path, "DELETE FROM audit_journal")
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 4, 4)


def test_a_place_is_set_neither_further_nor_back_nor_forgotten(tmp_path: Path) -> None:
    log_entries(tmp_path)
    journal = EntryJournal(ledger_of(tmp_path))
    record(journal, 1, 2)
    log_entries(tmp_path)
    record(journal, 3, 4)
    ((name, [first, taken_up, third, fourth]),) = ends(tmp_path)
    for place in (0, first, third, fourth):
        tamper(tmp_path, "UPDATE audit_journal SET taken_up = ?", place)
        refused(tmp_path)
    tamper(tmp_path, "DELETE FROM audit_journal")
    refused(tmp_path)
    tamper(tmp_path, "INSERT INTO audit_journal VALUES (?, ?)", name, taken_up)
    log_entries(tmp_path)
    journal.close()
    assert verified(tmp_path) == Verification(1, 4, 4)


def test_a_new_journal_is_not_made_one_that_is_gone(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1))
    ((name, [end]),) = ends(tmp_path)
    tamper(tmp_path, "INSERT INTO audit_journal_gone VALUES (1, ?, ?, ?)", name, end, bytes(32))
    refused(tmp_path)


def gone(root: Path, count: int) -> tuple[Path, bytes]:
    """Have journals that are gone, and return the first of them, with what it held."""
    kept = []
    for number in range(count):
        abandon(root, entry(number))
        kept += [(path, path.read_bytes()) for path in journals(root)[:1]]
        log_entries(root)
    # What is gone is noted together with what is taken up next.
    log_entries(root)
    abandon(root, entry(count))
    log_entries(root)
    log_entries(root)
    assert journals(root) == []
    return kept[0]


def test_a_journal_that_comes_back_after_others_is_not_taken_up_again(tmp_path: Path) -> None:
    path, content = gone(tmp_path, 3)
    path.write_bytes(content)
    log_entries(tmp_path)
    assert journals(tmp_path) == []
    assert verified(tmp_path) == Verification(1, 4, 4)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_journal_gone SET taken_up = taken_up - 1 WHERE number = 1",
        "UPDATE audit_journal_gone SET name = 'another' WHERE number = 1",
        "DELETE FROM audit_journal_gone WHERE number = 1",
        "UPDATE audit_journal_gone SET head = zeroblob(32) WHERE number = 1",
    ],
)
def test_what_was_taken_up_of_a_journal_that_is_gone_is_not_changed_unnoticed(tmp_path: Path, sql: str) -> None:
    gone(tmp_path, 3)
    assert verified(tmp_path).ok
    tamper(tmp_path, sql)
    assert told(verified(tmp_path)) == [(Kind.MALFORMED, 5)]


def test_nor_is_it_forgotten_of_the_last_one(tmp_path: Path) -> None:
    gone(tmp_path, 3)
    tamper(tmp_path, "DELETE FROM audit_journal_gone WHERE number = (SELECT max(number) FROM audit_journal_gone)")
    refused(tmp_path)


def test_nor_is_a_journal_taken_for_one_that_is_gone(tmp_path: Path) -> None:
    gone(tmp_path, 3)
    abandon(tmp_path, entry(7), entry(8))
    ((name, [end, _]),) = ends(tmp_path)
    tamper(tmp_path, "UPDATE audit_journal_gone SET name = ?, taken_up = ? WHERE number = 1", name, end)
    refused(tmp_path)


def test_a_change_of_keys_leaves_places_as_they_are(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2))
    rotate(tmp_path)
    abandon(tmp_path, entry(3))
    ((name, [end]),) = ends(tmp_path)
    tamper(tmp_path, "INSERT INTO audit_journal VALUES (?, ?)", name, end)
    refused(tmp_path)


def without_places(monkeypatch: pytest.MonkeyPatch, root: Path, work: Callable[[], None]) -> None:
    """Do what an earlier version does: sign nothing of journals, and keep no others than those in one table."""
    with monkeypatch.context() as patch:
        patch.setattr(audit_places, "extensions", lambda _: ())
        work()
    with intruding(root) as intruder:
        intruder.execute("INSERT INTO audit_journal SELECT name, taken_up FROM audit_journal_gone")
        intruder.execute("DROP TABLE audit_journal_gone")
        intruder.execute("DELETE FROM _sqlite_migrations WHERE name = 'journals_that_are_gone'")


def test_the_ledger_of_an_earlier_version_is_read_as_it_is_and_signed_with_the_next_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_places(monkeypatch, tmp_path, lambda: abandon(tmp_path, entry(1), entry(2)))
    assert verified(tmp_path) == Verification(1, 0, 0)
    without_places(monkeypatch, tmp_path, lambda: log_entries(tmp_path))
    assert verified(tmp_path) == Verification(1, 2, 2)
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 3, 3)
    abandon(tmp_path, entry(4))
    ((name, [end]),) = ends(tmp_path)
    tamper(tmp_path, "INSERT INTO audit_journal VALUES (?, ?)", name, end)
    refused(tmp_path)


Places = dict[str, int]
PLACES = st.dictionaries(st.text('a1 ,"[]\n', max_size=5), st.integers(0, 2), max_size=3)


@pytest.fixture(scope="module")
def empty() -> Iterator[sqlite_utils.Database]:
    with sqlite_utils.Database(sqlite3.connect(":memory:", isolation_level=None)) as database:
        schema.ledger.apply(database)
        yield database


def vouched_for(empty: sqlite_utils.Database, gone: Places, there: Places) -> tuple[str, ...]:
    """Return what is signed of journals that are there after others are gone."""
    empty.execute("BEGIN")
    try:
        for name, place in (gone | there).items():
            audit_places.note(empty, name, place)
        audit_places.note_gone(empty, there)
        return audit_places.extensions(empty)
    finally:
        empty.rollback()


@given(one=st.tuples(PLACES, PLACES), other=st.tuples(PLACES, PLACES))
def test_what_is_signed_of_journals_is_said_of_no_others(
    empty: sqlite_utils.Database, one: tuple[Places, Places], other: tuple[Places, Places]
) -> None:
    for gone, there in (one, other):
        for name in there:
            gone.pop(name, None)
    assert (vouched_for(empty, *one) == vouched_for(empty, *other)) == (one == other)
