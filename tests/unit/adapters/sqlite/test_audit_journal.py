"""What a process leaves behind in its journal."""

from pathlib import Path

import pytest
from tests.unit.adapters.sqlite.ledgers import abandon, entry, journals, ledger_of, log_entries, rewrite, verified

from pinfold.adapters.filesystem.journal import PREPARED, Journal, found, framed
from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import EntryJournal, folder_of
from pinfold.audit.findings import Verification
from pinfold.domain.errors import StoreError


def test_what_a_dead_process_recorded_is_taken_up_once(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2))
    assert verified(tmp_path) == Verification(1, 0, 0)
    assert len(journals(tmp_path)) == 1
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 3, 3)
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 4, 4)
    assert journals(tmp_path) == []


def test_a_journal_that_was_never_prepared_is_swept_away_when_the_ledger_is_opened(tmp_path: Path) -> None:
    log_entries(tmp_path, 1)
    folder = folder_of(ledger_of(tmp_path))
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{'a' * 32}.new"
    unfinished.write_bytes(bytes(100))
    log_entries(tmp_path, 1)
    assert not unfinished.exists()


def test_a_journal_that_comes_back_is_not_taken_up_again(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2))
    (journal,) = journals(tmp_path)
    content = journal.read_bytes()
    for _ in range(3):
        log_entries(tmp_path)
    assert journals(tmp_path) == []
    journal.write_bytes(content)
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 3, 3)


def test_a_journal_that_lost_with_the_power_what_was_taken_up_is_done_with(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2))
    (journal,) = journals(tmp_path)
    # The ledger is durable, and what it was taken up from was not yet.
    log_entries(tmp_path)
    journal.write_bytes(b"")
    log_entries(tmp_path, 1)
    assert verified(tmp_path) == Verification(1, 3, 3)
    assert journals(tmp_path) == []


def test_a_ledger_from_a_backup_takes_up_what_journals_still_hold(tmp_path: Path) -> None:
    log_entries(tmp_path, 1)
    backup = ledger_of(tmp_path).read_bytes()
    abandon(tmp_path, entry(2), entry(3))
    log_entries(tmp_path)
    assert verified(tmp_path) == Verification(1, 3, 3)
    ledger_of(tmp_path).write_bytes(backup)
    log_entries(tmp_path)
    assert verified(tmp_path) == Verification(1, 3, 3)


def test_what_was_not_written_whole_is_set_aside(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1), entry(2))
    (journal,) = journals(tmp_path)
    content = journal.read_bytes().rstrip(b"\0")
    journal.write_bytes(content[:-1].ljust(PREPARED, b"\0"))
    for _ in range(2):
        log_entries(tmp_path)
    assert verified(tmp_path) == Verification(1, 1, 1)
    assert [path.suffix for path in journals(tmp_path)] == [".torn"]


def test_records_of_another_version_stop_the_ledger_with_advice(tmp_path: Path) -> None:
    abandon(tmp_path, entry(1))
    other = Journal(tmp_path / "journal")
    other.append(framed([b"of another version"]))
    other.close()
    with pytest.raises(StoreError, match="start the version that wrote them once"):
        log_entries(tmp_path)
    other.path.unlink()
    log_entries(tmp_path)
    assert verified(tmp_path) == Verification(1, 1, 1)


def recorded_at_once(root: Path, count: int) -> Path:
    """Leave a journal behind with entries that are alike, and were written at once."""
    log_entries(root)
    draft = Draft.of(entry(1), with_evidence=False)
    journal = EntryJournal(ledger_of(root))
    journal.append(journal.encode([(draft, None)] * count))
    journal.close()
    return journal.path


def test_what_is_written_at_once_has_what_recurs_once(tmp_path: Path) -> None:
    lengths = []
    for count in (1, 2):
        with recorded_at_once(tmp_path / str(count), count).open("rb") as file:
            lengths.append(len(file.read().rstrip(b"\0")))
    assert lengths[1] - lengths[0] < lengths[0] / 3
    log_entries(tmp_path / "2")
    assert verified(tmp_path / "2") == Verification(1, 2, 2)


def test_what_the_ledger_lost_of_entries_that_were_written_at_once_is_found_with_the_first(tmp_path: Path) -> None:
    path = recorded_at_once(tmp_path, 2)
    end, _ = [end for journal in found(path.parent) for _, end in journal.records()]
    # The first was taken up, and pruned since.
    rewrite(tmp_path, f"INSERT INTO audit_journal VALUES ('{path.name}', {end})")
    assert verified(tmp_path) == Verification(1, 1, 1)
