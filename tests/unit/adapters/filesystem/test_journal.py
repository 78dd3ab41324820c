"""Journals, whole and torn."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.filesystem.journal import Journal, found
from pinfold.domain.errors import StoreError

RECORDS = st.lists(st.lists(st.binary(max_size=50), max_size=5), max_size=5)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def read(folder: Path, begin: int = 0) -> list[bytes]:
    with found(folder) as journals:
        return [record for journal in journals for record, _ in journal.records(begin)]


def written(folder: Path, *groups: list[bytes]) -> Path:
    journal = Journal(folder)
    for group in groups:
        journal.append(group)
    journal.close()
    return journal.path


@given(groups=RECORDS)
def test_records_come_back_in_order_from_any_record_on(groups: list[list[bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), *groups)
        records = [record for group in groups for record in group]
        with found(Path(folder)) as (journal,):
            places = [0, *(place for _, place in journal.records())]
            assert places[-1] == journal.size == path.stat().st_size
            for number, place in enumerate(places):
                assert [record for record, _ in journal.records(place)] == records[number:]


@given(groups=RECORDS, data=st.data())
def test_what_is_cut_off_or_changed_ends_the_records_before_it(groups: list[list[bytes]], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), *groups)
        content = bytearray(path.read_bytes())
        records = read(Path(folder))
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        assert read(Path(folder)) == records[: len(read(Path(folder)))]
        if content:
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content)
            whole = read(Path(folder))
            assert whole == records[: len(whole)]
            assert len(whole) < len(records)


def test_a_journal_is_left_behind_once_its_process_closed_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([b"one"])
    with found(tmp_path) as (seen,):
        assert not seen.is_left_behind
    journal.close()
    with found(tmp_path) as (seen,):
        assert seen.is_left_behind
        seen.remove(seen.size)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_set_aside_when_the_rest_is_removed(tmp_path: Path) -> None:
    path = written(tmp_path, [b"one"])
    with path.open("ab") as file:
        file.write(b"half a rec")
    with found(tmp_path) as (seen,):
        ((_, end),) = seen.records()
        seen.remove(end)
    assert [path.suffix for path in tmp_path.iterdir()] == [".torn"]
    assert read(tmp_path) == []


def test_only_its_owner_reads_a_journal(journal: Journal) -> None:
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_other_files_and_links_are_not_journals(tmp_path: Path) -> None:
    content = written(tmp_path / "elsewhere", [b"one"]).read_bytes()
    folder = tmp_path / "journal"
    folder.mkdir()
    for name in ("a" * 31, "A" * 32, f"{'a' * 32}.new", f"{'a' * 32}.torn"):
        (folder / name).write_bytes(content)
    assert read(folder) == []
    (folder / ("b" * 32)).symlink_to(written(tmp_path / "elsewhere", [b"two"]))
    with pytest.raises(StoreError):
        read(folder)


def test_a_folder_that_is_not_there_has_no_journals(tmp_path: Path) -> None:
    assert read(tmp_path / "journal") == []


def test_a_disk_without_space_is_an_error_with_advice(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _, data: len(data) - 1)
    with pytest.raises(StoreError, match="the disk is full"):
        journal.append([b"one"])
