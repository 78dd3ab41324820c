"""Journals, whole and torn."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.filesystem import journal as journal_module
from pinfold.adapters.filesystem.journal import Found, Journal, found
from pinfold.domain.errors import StoreError

RECORDS = st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), min_size=1, max_size=5)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def read(folder: Path, begin: int = 0) -> list[bytes]:
    return [record for journal in found(folder) for record, _ in journal.records(begin)]


@contextmanager
def only(folder: Path) -> Iterator[Found]:
    journals = found(folder)
    yield next(journals)
    assert next(journals, None) is None


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
        with only(Path(folder)) as journal:
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
    with only(tmp_path) as seen:
        assert not seen.is_left_behind
    journal.close()
    with only(tmp_path) as seen:
        assert seen.is_left_behind
        seen.remove(seen.size)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_set_aside_when_the_rest_is_removed(tmp_path: Path) -> None:
    path = written(tmp_path, [b"one"])
    with path.open("ab") as file:
        file.write(b"half a rec")
    with only(tmp_path) as seen:
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


def test_zeros_at_the_end_are_no_records(tmp_path: Path) -> None:
    path = written(tmp_path, [b"", b"one"])
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert read(tmp_path) == [b"", b"one"]


def test_a_journal_that_lost_what_was_taken_up_is_done_with(tmp_path: Path) -> None:
    written(tmp_path, [b"one"])
    with only(tmp_path) as seen:
        assert list(seen.records(seen.size + 100)) == []
        seen.remove(seen.size + 100)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_content_does_not_fill_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda _, data: 0)
    for _ in range(3):
        journal = Journal(tmp_path)
        with pytest.raises(StoreError, match="the disk is full"):
            journal.append([b"one"])
        journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_begun_keeps_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError("out of order")

    monkeypatch.setattr(journal_module, "sync_folder", fail)
    before = list(Path("/proc/self/fd").iterdir())
    with pytest.raises(StoreError, match="out of order"):
        Journal(tmp_path)
    assert list(Path("/proc/self/fd").iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_more_journals_than_files_may_be_open_are_read(tmp_path: Path) -> None:
    for number in range(50):
        written(tmp_path, [b"%d" % number])
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert max(len(list(Path("/proc/self/fd").iterdir())) for _ in found(tmp_path)) <= before + 1


def test_a_pipe_in_a_journal_s_place_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ("c" * 32))
    with pytest.raises(StoreError):
        read(tmp_path)
