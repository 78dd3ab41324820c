import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlite_utils
from tests.unit.adapters.sqlite.ledgers import (
    NOON,
    append,
    entry,
    intruding,
    keys_of,
    latest_note,
    ledger_of,
    log_entries,
    present_key,
    rewrite,
    rotate,
    told,
    verified,
)

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_tree import rotate_key
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.findings import Kind, Verification
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidNote, StoreError
from pinfold.ports.audit_log import AuditQuery


def sizes(root: Path) -> list[int]:
    connection = sqlite3.connect(ledger_of(root))
    found = [size for (size,) in connection.execute("SELECT size FROM audit_checkpoint ORDER BY size")]
    connection.close()
    return found


# The key


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    log_entries(tmp_path)
    (key,) = (tmp_path / "keys").iterdir()
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert key.stat().st_mode & 0o777 == 0o600
    first = present_key(tmp_path)
    log_entries(tmp_path, 3)
    assert present_key(tmp_path) == first
    assert list((tmp_path / "keys").iterdir()) == [key]


def test_each_installation_has_a_name_of_its_own(tmp_path: Path) -> None:
    for name in ("one", "other"):
        log_entries(tmp_path / name)
    assert present_key(tmp_path / "one").name != present_key(tmp_path / "other").name


async def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    opened = await asyncio.gather(*(open_ledger(ledger_of(tmp_path), keys_of(tmp_path)) for _ in range(4)))
    for ledger, _ in opened:
        await append(ledger, entry(1))
        await ledger.close()
    assert len(list((tmp_path / "keys").iterdir())) == 1
    assert verified(tmp_path) == Verification(1, 4, 4)


def test_a_key_that_is_missing_foreign_or_open_to_others_signs_nothing(tmp_path: Path) -> None:
    log_entries(tmp_path, 1)
    (key,) = (tmp_path / "keys").iterdir()
    text = key.read_text()
    key.chmod(0o640)
    with pytest.raises(StoreError, match="open to others"):
        log_entries(tmp_path, 1)
    key.chmod(0o600)
    for wrong in ("", "nonsense", text[:-10] + "AAAAAAAAA\n", text.replace("PRIVATE", "PUBLIC")):
        key.write_text(wrong)
        with pytest.raises(StoreError, match="is not the key") as error:
            log_entries(tmp_path, 1)
        assert text.strip() not in str(error.value)
    key.unlink()
    with pytest.raises(StoreError, match="is missing"):
        log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 1, 1)


# Growing


async def test_entries_that_share_a_transaction_share_a_checkpoint(tmp_path: Path) -> None:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))

    def three(database: sqlite_utils.Database) -> list[int]:
        return [append_entry(database, entry(n)) for n in range(3)]

    assert await ledger.write(three) == [1, 2, 3]
    await ledger.close()
    assert sizes(tmp_path) == [3]


async def test_a_change_that_fails_leaves_nothing_in_the_tree(tmp_path: Path) -> None:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))

    def fail(database: sqlite_utils.Database) -> None:
        append_entry(database, entry(9))
        raise RuntimeError("on purpose")

    results = await asyncio.gather(
        append(ledger, entry(1)), ledger.write(fail), append(ledger, entry(2)), return_exceptions=True
    )
    assert [results[0], results[2]] == [[1], [2]]
    assert isinstance(results[1], RuntimeError)
    await ledger.close()
    assert verified(tmp_path) == Verification(1, 2, 2)


async def test_a_transaction_that_fails_leaves_the_tree_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, tree = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    keep = tree._keep

    def failing(*args: object, **options: object) -> None:
        keep(*args, **options)  # type: ignore[arg-type]
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(tree, "_keep", failing)
    with pytest.raises(StoreError):
        await append(ledger, entry(1))
    monkeypatch.undo()
    assert await append(ledger, entry(1)) == [1]
    await ledger.close()
    assert verified(tmp_path) == Verification(1, 1, 1)


async def test_processes_take_turns(tmp_path: Path) -> None:
    one, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    other, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    for number in range(20):
        await append(one if number % 3 else other, entry(number))
    await one.close()
    await other.close()
    assert verified(tmp_path) == Verification(1, 20, 20)


def test_few_checkpoints_are_kept(tmp_path: Path) -> None:
    log_entries(tmp_path, *[8] * 100)
    assert sizes(tmp_path) == [248, 504, 760, 800]


def test_entries_from_before_there_was_a_tree_are_taken_into_it(tmp_path: Path) -> None:
    async def log_unsigned() -> None:
        ledger = await Database.open(ledger_of(tmp_path), schema.ledger, durable=True)
        await asyncio.gather(*(append(ledger, entry(n)) for n in range(700)))
        await ledger.close()

    asyncio.run(log_unsigned())
    log_entries(tmp_path, 5)
    assert verified(tmp_path) == Verification(1, 705, 705)


# Nothing is appended to a log whose end was tampered with


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM audit WHERE seq = 300", "ends with entry 299, and 300 were logged"),
        (
            "INSERT INTO audit SELECT 301, time, template, client, evidence FROM audit WHERE seq = 300",
            "ends with entry 301",
        ),
        ("UPDATE audit_tile SET hashes = zeroblob(32) WHERE level = 1", "not the one that was signed"),
        ("DELETE FROM audit_tile", "is damaged"),
        ("UPDATE audit_checkpoint SET note = zeroblob(9)", "does not end as it was signed"),
        ("UPDATE audit_checkpoint SET size = 299 WHERE size = 300", "does not end as it was signed"),
        ("DELETE FROM audit_checkpoint", "checkpoints are gone"),
        ("DELETE FROM audit_state", "does not end as it was signed"),
        ("UPDATE audit_state SET present_key = first_key || 'x'", "does not end as it was signed"),
    ],
)
def test_a_signature_never_vouches_for_what_was_tampered_with(tmp_path: Path, sql: str, message: str) -> None:
    log_entries(tmp_path, 300)
    with intruding(tmp_path) as intruder:
        intruder.execute(sql)
    with pytest.raises(StoreError, match=message):
        log_entries(tmp_path, 1)


async def test_what_is_tampered_with_meanwhile_is_noticed_too(tmp_path: Path) -> None:
    ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    await append(ledger, entry(1))
    with intruding(tmp_path) as intruder:
        intruder.execute("DELETE FROM audit")
    with pytest.raises(StoreError, match="ends with entry 0, and 1 were logged"):
        await append(ledger, entry(2))
    await ledger.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_checkpoint SET note = CAST(replace(note, 'A', 'B') AS BLOB) WHERE size = 4",
        "UPDATE audit_checkpoint SET note = CAST(note || note AS BLOB) WHERE size = 4",
        "UPDATE audit_tile SET hashes = zeroblob(128)",
        "UPDATE audit_tile SET hashes = substr(hashes, 1, 32)",
    ],
)
async def test_what_another_process_signed_is_not_believed_unseen(tmp_path: Path, sql: str) -> None:
    one, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    other, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    await append(one, entry(1))
    await append(other, entry(2))
    await append(one, entry(3))
    await append(other, entry(4))
    with intruding(tmp_path) as intruder:
        intruder.execute(sql)
    with pytest.raises(StoreError, match=r"does not end as it was signed|is damaged"):
        await append(one, entry(5))
    await one.close()
    await other.close()


def test_a_checkpoint_kept_elsewhere_tells_of_a_rewrite_by_whoever_holds_the_key(tmp_path: Path) -> None:
    log_entries(tmp_path, 300)
    kept = latest_note(tmp_path)
    rewrite(tmp_path, "UPDATE audit SET template = (SELECT template FROM audit WHERE seq = 6) WHERE seq = 5")
    log_entries(tmp_path, 50)
    assert verified(tmp_path).ok
    answer = verified(tmp_path, kept)
    assert told(answer) == [(Kind.CONTRADICTED, 1)]
    assert "kept elsewhere" in answer.problems[0].text


def test_a_checkpoint_kept_elsewhere_tells_of_a_log_that_was_set_back(tmp_path: Path) -> None:
    log_entries(tmp_path, 100)
    before = ledger_of(tmp_path).read_bytes()
    log_entries(tmp_path, 50)
    kept = latest_note(tmp_path)
    ledger_of(tmp_path).write_bytes(before)
    assert verified(tmp_path).ok
    assert told(verified(tmp_path, kept)) == [(Kind.MISSING, 101)]


# Changing the key


def test_a_replaced_key_is_destroyed_and_signs_nothing_more(tmp_path: Path) -> None:
    log_entries(tmp_path, 10)
    old, new = rotate(tmp_path)
    assert present_key(tmp_path) == new
    assert not keys_of(tmp_path).path(old).exists()
    log_entries(tmp_path, 10)
    with pytest.raises(InvalidNote):
        LogKeys.of(old).open(latest_note(tmp_path))
    for trusted in (old, new):
        assert verified(tmp_path, trusted=[trusted]) == Verification(1, 21, 21)


async def test_a_running_process_goes_over_to_the_new_key(tmp_path: Path) -> None:
    running, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    await append(running, entry(1))
    ledger, tree = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    old, new = await rotate_key(
        ledger, tree, Entry(Action.AUDIT_KEY_CHANGED, NOON, Actor("kim"), details={"reason": "x"})
    )
    await ledger.close()
    assert await append(running, entry(2)) == [3]
    (about,) = await SqliteAuditLog(running).search(AuditQuery(action="audit.key-changed"))
    assert (about.seq, about.entry.details) == (2, {"reason": "x", "old": str(old), "new": str(new)})
    await running.close()
    assert not keys_of(tmp_path).path(old).exists()
    assert verified(tmp_path, trusted=[new]) == Verification(1, 3, 3)


async def test_entries_that_share_the_transaction_of_a_change_are_signed_in_order(tmp_path: Path) -> None:
    ledger, tree = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    about = replace(entry(0), action=Action.AUDIT_KEY_CHANGED)
    await asyncio.gather(
        *(append(ledger, entry(n)) for n in range(5)),
        rotate_key(ledger, tree, about),
        *(append(ledger, entry(n)) for n in range(5)),
    )
    await ledger.close()
    assert verified(tmp_path) == Verification(1, 11, 11)


async def test_what_was_signed_and_not_committed_is_forgotten(tmp_path: Path) -> None:
    one, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    other, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
    await append(one, entry(1))

    def fails_at_the_end(database: sqlite_utils.Database) -> None:
        database.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        database.execute("CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
        append_entry(database, entry(2))
        database.execute("INSERT INTO child VALUES (1)")

    with pytest.raises(StoreError):
        await one.write(fails_at_the_end)
    # As many as make the other's tree larger than the one that came to nothing.
    for number in (3, 4):
        await append(other, entry(number))
    await append(one, entry(5))
    await one.close()
    await other.close()
    assert verified(tmp_path) == Verification(1, 4, 4)


async def test_processes_that_take_turns_grow_one_tree(tmp_path: Path) -> None:
    ledgers = [(await open_ledger(ledger_of(tmp_path), keys_of(tmp_path)))[0] for _ in range(2)]
    # Past the end of a tile, with turns of all kinds of lengths.
    for number in range(270):
        await append(ledgers[number * number % 7 % 2], entry(number))
    for ledger in ledgers:
        await ledger.close()
    assert verified(tmp_path) == Verification(1, 270, 270)
