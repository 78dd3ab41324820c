import sqlite3
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.adapters.sqlite.ledgers import (
    Tampering,
    ledger_of,
    log_entries,
    present_key,
    rotate,
    tampering,
    told,
    verified,
)

from pinfold.adapters.sqlite.audit_columns import COLUMNS
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.audit.findings import Kind, Verification
from pinfold.domain.errors import StoreError

SMALL = 4
LARGE = 600


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small")
    log_entries(root, 1, 2, SMALL - 3)
    return root


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large")
    log_entries(root, 200, 100, LARGE - 300)
    return root


@pytest.fixture(scope="module")
def tamper(small: Path) -> Iterator[Tampering]:
    with tampering(small) as tamper:
        yield tamper


@pytest.fixture(scope="module")
def tamper_large(large: Path) -> Iterator[Tampering]:
    with tampering(large) as tamper:
        yield tamper


def test_a_whole_store_verifies(small: Path, large: Path) -> None:
    assert verified(small) == Verification(1, SMALL, SMALL)
    assert verified(large) == Verification(1, LARGE, LARGE)


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    log_entries(tmp_path)
    assert verified(tmp_path) == Verification(1, 0, 0)


def test_verifying_changes_nothing(large: Path, tamper_large: Tampering) -> None:
    before = ledger_of(large).read_bytes()
    verified(large)
    assert ledger_of(large).read_bytes() == before
    assert tamper_large("SELECT 1").ok


TABLES = (
    *("audit", "audit_client", "audit_template", "audit_verdicts", "audit_tile", "audit_checkpoint", "audit_state"),
    *("evidence", "evidence_part"),
)


def cells(root: Path) -> list[tuple[str, str, int, Any]]:
    """Every value in the store that is not null: table, column, row and value."""
    with sqlite3.connect(ledger_of(root)) as connection:
        found = [
            (table, column, row, value)
            for table in TABLES
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()
            if (table, column) != ("audit_state", "only")
            for row, value in connection.execute(f'SELECT rowid, "{column}" FROM {table}').fetchall()
            if value is not None
        ]
    connection.close()
    return found


def flipped(value: Any, at: int) -> Any:
    match value:
        case bytes():
            return value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1 :]
        case str():
            return value[:at] + chr(ord(value[at]) ^ 1 << at % 5) + value[at + 1 :]
        case _:
            return value ^ 1 << at


def test_every_changed_byte_is_found_and_that_of_an_entry_named(small: Path, tamper: Tampering) -> None:
    tried = 0
    for table, column, row, value in cells(small):
        for at in range(len(value) if isinstance(value, bytes | str) else 3):
            sql = f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?'
            try:
                answer = tamper(sql, flipped(value, at), row)
            except (sqlite3.IntegrityError, StoreError):
                # Another row has this number already, or nothing is left to be verified.
                continue
            tried += 1
            assert not answer.ok, (table, column, row, at)
            if table in ("audit_client", "audit_verdicts") and column in ("text", "actor", "address"):
                # All entries share their client and their verdicts.
                assert told(answer) == [(Kind.CHANGED, seq) for seq in range(1, SMALL + 1)], (column, at)
            elif table == "audit_template" and column != "digest":
                # Each entry has a template of its own.
                assert told(answer) == [(Kind.CHANGED, row)], (column, at)
                assert column not in COLUMNS or column in answer.problems[0].text
            elif table in ("evidence", "evidence_part"):
                assert told(answer)[0] == (Kind.CHANGED, 1), (table, column, at)
            elif table == "audit" and column != "seq":
                assert told(answer)[0] == (Kind.CHANGED, row), (column, at)
            elif column == "hashes":
                assert told(answer)[0] == (Kind.HASH_CHANGED, at // 32 + 1)
    assert tried > 1000


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, 1 if column == "unchanged" else "made up") for column in COLUMNS),
        *((column, None) for column in ("project", "version")),
    ],
)
def test_what_is_made_up_or_emptied_is_found_with_each_entry_that_is_searched_for_by_it(
    tmp_path: Path, column: str, value: str | int | None
) -> None:
    for _ in range(2):
        log_entries(tmp_path, 3)
    with tampering(tmp_path) as tamper:
        answer = tamper(f"UPDATE audit_template SET \"{column}\" = ? WHERE version = '1.2'", value)
    assert told(answer) == [(Kind.CHANGED, 2), (Kind.CHANGED, 5)]
    assert answer.problems[0].text == f"entry 2 is as it was logged, but is searched for with another {column}"


@pytest.mark.parametrize(
    ("sql", "damaged"),
    [
        ("DELETE FROM audit_template WHERE id = 2", [2]),
        ("UPDATE audit SET template = 0 WHERE seq = 2", [2]),
        ("UPDATE audit SET template = 3 WHERE seq = 2", [2]),
        ("UPDATE audit_template SET digest = zeroblob(32) WHERE id = 2", [SMALL + 1]),
        ("UPDATE audit SET template = 5 - template", [1, 2, 3, 4]),
        (
            "INSERT INTO audit_template (id, digest, text, action) VALUES (99, zeroblob(32), x'00', 'file.served')",
            [SMALL + 1],
        ),
        ("UPDATE audit_template SET verdicts = NULL", [1, 2, 3, 4]),
        ("UPDATE audit SET time = replace(time, '12:02', '12:20') WHERE seq = 2", [2]),
        ("UPDATE audit_client SET actor = 'kim'", [1, 2, 3, 4]),
        ("UPDATE audit_client SET address = '192.0.2.1'", [1, 2, 3, 4]),
        ("DELETE FROM audit_client", [1, 2, 3, 4]),
        ("UPDATE audit_client SET digest = zeroblob(32)", [SMALL + 1]),
        ("INSERT INTO audit_client VALUES (99, zeroblob(32), x'00', 'ci', NULL)", [SMALL + 1]),
    ],
)
def test_entries_that_are_found_by_what_they_do_not_say_are_named(
    tamper: Tampering, sql: str, damaged: list[int]
) -> None:
    assert [seq for _, seq in told(tamper(sql))] == damaged


@pytest.mark.parametrize("seq", range(1, SMALL + 1))
def test_a_removed_entry_is_named(tamper: Tampering, seq: int) -> None:
    assert told(tamper("DELETE FROM audit WHERE seq = ?", seq)) == [(Kind.MISSING, seq)]


@pytest.mark.parametrize("seq", [-5, 0, SMALL + 1, SMALL + 1000])
def test_an_inserted_entry_is_named(tamper: Tampering, seq: int) -> None:
    sql = "INSERT INTO audit SELECT ?, time, template, client, evidence FROM audit WHERE seq = 2"
    assert told(tamper(sql, seq)) == [(Kind.INSERTED, seq)]


@pytest.mark.parametrize(("one", "other"), list(combinations(range(1, SMALL + 1), 2)))
def test_swapped_entries_are_named(tamper: Tampering, one: int, other: int) -> None:
    assert told(tamper.swap(one, other)) == [(Kind.CHANGED, one), (Kind.CHANGED, other)]


def test_an_end_that_is_cut_off_with_its_hashes_is_missing(tamper: Tampering) -> None:
    answer = tamper.all(
        [
            ("DELETE FROM audit WHERE seq = ?", [SMALL]),
            ("UPDATE audit_tile SET hashes = substr(hashes, 1, ?)", [32 * (SMALL - 1)]),
        ]
    )
    assert (Kind.MISSING, SMALL) in told(answer)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_anywhere_is_found_and_named(tamper_large: Tampering, data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, LARGE))
    what = data.draw(st.sampled_from(["change", "remove", "swap"]))

    match what:
        case "change":
            change = "UPDATE audit SET template = (SELECT max(id) + 1 - template FROM audit_template) WHERE seq = ?"
            assert told(tamper_large(change, seq))[0] == (Kind.CHANGED, seq)
        case "remove":
            assert told(tamper_large("DELETE FROM audit WHERE seq = ?", seq))[0] == (Kind.MISSING, seq)
        case "swap":
            other = seq % LARGE + 1
            assert told(tamper_large.swap(seq, other))[0] == (Kind.CHANGED, min(seq, other))


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE audit_tile SET hashes = CAST(zeroblob(64) AS BLOB) WHERE level = 1", Kind.MALFORMED),
        ("DELETE FROM audit_tile WHERE level = 1", Kind.MALFORMED),
        ("INSERT INTO audit_tile VALUES (1, 7, zeroblob(32))", Kind.MALFORMED),
        ("UPDATE audit_tile SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE level = 1", Kind.MALFORMED),
        ('DELETE FROM audit_tile WHERE level = 0 AND "index" = 1', Kind.MALFORMED),
        ("UPDATE audit_checkpoint SET note = zeroblob(9) WHERE size = 200", Kind.MALFORMED),
        ("UPDATE audit_checkpoint SET size = 201 WHERE size = 200", Kind.MALFORMED),
        ("DELETE FROM audit_checkpoint WHERE size = 600", Kind.INSERTED),
        ("UPDATE audit_state SET pruned = 300", Kind.MISSING),
        ("UPDATE audit_state SET pruned = 601", Kind.MALFORMED),
    ],
)
def test_damage_to_what_proves_the_log_is_found(tamper_large: Tampering, sql: str, kind: Kind) -> None:
    answer = tamper_large(sql)
    assert answer.problems[0].kind is kind, answer.problems


def test_the_key_of_a_stranger_proves_nothing(small: Path, large: Path) -> None:
    answer = verified(small, trusted=[present_key(large)])
    assert told(answer) == [(Kind.MALFORMED, 0)]
    assert "nothing can be verified" in answer.problems[0].text


def test_a_log_signed_with_another_key_is_not_taken_for_the_true_one(small: Path, large: Path) -> None:
    with tampering(small, present_key(large)) as tamper:
        assert not tamper("UPDATE audit_state SET first_key = ?", str(present_key(large))).ok
        assert not tamper("UPDATE audit_state SET present_key = ?", str(present_key(large))).ok


def test_either_key_proves_a_log_whose_key_was_replaced(tmp_path: Path) -> None:
    log_entries(tmp_path, 300)
    first, second = rotate(tmp_path)
    log_entries(tmp_path, 10)
    _, third = rotate(tmp_path)
    log_entries(tmp_path, 300)
    for trusted in (first, second, third):
        assert verified(tmp_path, trusted=[trusted]) == Verification(1, 612, 612)


def test_a_store_without_a_log_cannot_be_verified(tmp_path: Path) -> None:
    sqlite3.connect(ledger_of(tmp_path)).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(StoreError, match="no signed audit log"), LogReader.open(ledger_of(tmp_path)):
        pass
    with pytest.raises(StoreError), LogReader.open(tmp_path / "none.db"):
        pass
    assert not (tmp_path / "none.db").exists()
