import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.adapters.sqlite.ledgers import (
    entry,
    intruding,
    keys_of,
    latest_note,
    ledger_of,
    log_entries,
    present_key,
    told,
    verified,
)

from pinfold.adapters.sqlite import audit_prune
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_prune import Archive, archive, prune
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.findings import Kind, Verification
from pinfold.audit.verify_export import verify_export
from pinfold.domain.audit_entry import Action
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import AuditQuery

ABOUT = replace(entry(0), action=Action.AUDIT_PRUNED)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_prune, "BATCH", 100)


def archived(root: Path, last: int, name: str = "archive.jsonl") -> Archive:
    with LogReader.open(ledger_of(root)) as reader:
        return archive(reader, present_key(root), last, root / name)


def pruned(root: Path, last: int, name: str = "archive.jsonl") -> Archive:
    made = archived(root, last, name)

    async def run() -> None:
        ledger, _ = await open_ledger(ledger_of(root), keys_of(root))
        try:
            await prune(ledger, made, ABOUT)
        finally:
            await ledger.close()

    asyncio.run(run())
    return made


def numbers(root: Path) -> list[int]:
    async def run() -> list[int]:
        ledger, _ = await open_ledger(ledger_of(root), keys_of(root))
        found = await SqliteAuditLog(ledger).search(AuditQuery(limit=10_000, newest_first=False))
        await ledger.close()
        return [one.seq for one in found]

    return asyncio.run(run())


@pytest.mark.parametrize("last", [1, 255, 256, 257, 600])
def test_what_remains_is_proven_and_so_is_the_archive(tmp_path: Path, last: int) -> None:
    log_entries(tmp_path, 300, 300)
    kept = latest_note(tmp_path)
    made = pruned(tmp_path, last)
    assert numbers(tmp_path) == list(range(last + 1, 602))
    assert verified(tmp_path, kept) == Verification(last + 1, 601, 601)
    with made.path.open("rb") as file:
        assert verify_export(file, LogKeys.of(present_key(tmp_path)), [kept]) == Verification(1, last, 600)
    log_entries(tmp_path, 50)
    assert verified(tmp_path, kept) == Verification(last + 1, 651, 651)


def test_pruning_is_an_entry_that_names_the_archive(tmp_path: Path) -> None:
    log_entries(tmp_path, 10)
    made = pruned(tmp_path, 4)

    async def about() -> object:
        ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
        (found,) = await SqliteAuditLog(ledger).search(AuditQuery(action="audit.pruned"))
        await ledger.close()
        return found.entry.details

    expected = {"first": 1, "through": 4, "archive": "archive.jsonl", "sha256": made.sha256}
    assert asyncio.run(about()) == expected


def test_archives_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    log_entries(tmp_path, 600)
    pruned(tmp_path, 250, "one")
    made = pruned(tmp_path, 590, "two")
    assert (made.first, made.last) == (251, 590)
    assert made.verification == Verification(251, 590, 601)
    assert verified(tmp_path) == Verification(591, 602, 602)


def test_a_pruned_log_is_exported_from_its_first_entry(tmp_path: Path) -> None:
    log_entries(tmp_path, 300)
    pruned(tmp_path, 280)
    made = archived(tmp_path, 301, "rest")
    assert made.verification == Verification(281, 301, 301)


def test_nothing_is_pruned_without_an_archive_that_verifies(tmp_path: Path) -> None:
    log_entries(tmp_path, 300)
    with intruding(tmp_path) as intruder:
        intruder.execute("UPDATE audit SET template = template + 1 WHERE seq = 5")
    with pytest.raises(StoreError, match="does not verify"):
        pruned(tmp_path, 280)
    assert len(numbers(tmp_path)) == 300


def test_an_archive_never_replaces_a_file(tmp_path: Path) -> None:
    log_entries(tmp_path, 10)
    (tmp_path / "archive.jsonl").write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        archived(tmp_path, 5)
    assert (tmp_path / "archive.jsonl").read_text() == "precious"


def test_an_interrupted_pruning_leaves_a_log_that_verifies_and_can_go_on(tmp_path: Path) -> None:
    log_entries(tmp_path, 600)
    made = archived(tmp_path, 500)

    async def interrupted() -> None:
        ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
        write, calls = ledger.write, 0

        async def failing(work: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 4:
                raise StoreError("killed")
            return await write(work)  # type: ignore[arg-type]

        ledger.write = failing  # type: ignore[method-assign,assignment]
        with pytest.raises(StoreError, match="killed"):
            await prune(ledger, made, ABOUT)
        await ledger.close()

    asyncio.run(interrupted())
    assert verified(tmp_path) == Verification(201, 601, 601)
    pruned(tmp_path, 500, "again")
    assert verified(tmp_path) == Verification(501, 602, 602)


def test_deleting_without_pruning_is_refused_and_found(tmp_path: Path) -> None:
    log_entries(tmp_path, 600)
    pruned(tmp_path, 300)

    async def delete(sql: str) -> None:
        ledger, _ = await open_ledger(ledger_of(tmp_path), keys_of(tmp_path))
        try:
            await ledger.write(lambda database: database.execute(sql))
        finally:
            await ledger.close()

    with pytest.raises(StoreError, match="only grows"):
        asyncio.run(delete("DELETE FROM audit WHERE seq = 301"))
    with pytest.raises(StoreError, match="does not come back"):
        asyncio.run(delete("UPDATE audit_state SET pruned = 200"))
    with intruding(tmp_path) as intruder:
        intruder.execute("UPDATE audit_state SET pruned = 400")
        intruder.execute("DELETE FROM audit WHERE seq <= 400")
    answer = verified(tmp_path)
    assert told(answer) == [(Kind.MISSING, 1)]
    assert "no entry says that they were pruned" in answer.problems[0].text


def test_the_hashes_of_pruned_entries_are_still_checked(tmp_path: Path) -> None:
    log_entries(tmp_path, 600)
    pruned(tmp_path, 590)
    with intruding(tmp_path) as intruder:
        intruder.execute('UPDATE audit_tile SET hashes = zeroblob(8192) WHERE level = 0 AND "index" = 0')
    assert told(verified(tmp_path))[0][0] is Kind.MALFORMED
