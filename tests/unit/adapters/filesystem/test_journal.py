"""Journals, whole and torn."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.filesystem import journal as journal_module
from pinfold.adapters.filesystem.journal import Found, Journal, found, framed, sweep
from pinfold.domain.errors import StoreError

GROUP = st.lists(st.binary(max_size=50) | st.binary(min_size=500, max_size=2000), min_size=1, max_size=5)
GROUPS = st.lists(GROUP, min_size=1, max_size=5)
SECTOR = 512
PREPARED = 64 * 1024


@pytest.fixture(autouse=True, scope="module")
def prepared() -> Iterator[None]:
    """Have journals prepared for less, which is sooner done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "PREPARED", PREPARED)
        yield


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
        journal.append(framed(group))
    journal.close()
    return journal.path


@given(groups=GROUPS)
def test_records_come_back_in_order_from_any_record_on(groups: list[list[bytes]]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), *groups)
        records = [record for group in groups for record in group]
        with only(Path(folder)) as journal:
            places = [0, *(place for _, place in journal.records())]
            assert path.read_bytes()[places[-1] :] == bytes(PREPARED - places[-1])
            for number, place in enumerate(places):
                assert [record for record, _ in journal.records(place)] == records[number:]


@given(groups=GROUPS, data=st.data())
def test_what_is_cut_off_or_changed_ends_the_records_before_it(groups: list[list[bytes]], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), *groups)
        with only(Path(folder)) as journal:
            records, places = zip(*journal.records(), strict=True)
        content = bytearray(path.read_bytes()[: places[-1]])
        place = data.draw(st.integers(0, len(content) - 1))
        unharmed = list(records[: sum(end <= place for end in places)])
        path.write_bytes(content[:place])
        assert read(Path(folder)) == unharmed
        content[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content.ljust(PREPARED, b"\0"))
        assert read(Path(folder)) == unharmed


@given(groups=GROUPS, last=GROUP, data=st.data())
def test_whatever_sectors_of_a_write_reach_the_disk_what_was_durable_before_stays(
    groups: list[list[bytes]], last: list[bytes], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        for group in groups:
            journal.append(framed(group))
        before, begin = journal.path.read_bytes(), journal.size
        journal.append(framed(last))
        end = journal.size
        journal.close()
        after = journal.path.read_bytes()
        sectors = range(begin // SECTOR, end // SECTOR + 1)
        written = data.draw(st.sets(st.sampled_from(sectors)))
        content = bytearray(before)
        for sector in written:
            part = slice(sector * SECTOR, (sector + 1) * SECTOR)
            content[part] = after[part]
        journal.path.write_bytes(content)
        durable = [record for group in groups for record in group]
        found = read(Path(folder))
        assert found[: len(durable)] == durable
        assert found == [*durable, *last][: len(found)]


def test_a_journal_is_left_behind_once_its_process_closed_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(framed([b"one"]))
    with only(tmp_path) as seen:
        assert not seen.is_left_behind
    journal.close()
    with only(tmp_path) as seen:
        assert seen.is_left_behind
        seen.remove(journal.size)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_set_aside_when_the_rest_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, [b"one"])
    with only(tmp_path) as seen:
        ((_, end),) = seen.records()
    with path.open("r+b") as file:
        file.seek(end + 4000)
        file.write(b"half a rec")
    with only(tmp_path) as seen:
        seen.remove(end)
    assert [path.suffix for path in tmp_path.iterdir()] == [".torn"]
    assert read(tmp_path) == []
    assert "ends with 4010 bytes that were not written whole" in caplog.text


def test_a_head_that_claims_more_than_there_is_ends_the_records(tmp_path: Path) -> None:
    path = written(tmp_path, [b"one"])
    with only(tmp_path) as seen:
        ((_, end),) = seen.records()
    with path.open("r+b") as file:
        file.seek(end)
        file.write(b"\xff" * 8)
    assert read(tmp_path) == [b"one"]


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
    monkeypatch.setattr(os, "pwrite", lambda _, data, place: len(data) - 1)
    with pytest.raises(StoreError, match="the disk is full"):
        journal.append(framed([b"one"]))


def test_to_write_a_journal_leaves_its_length_alone(journal: Journal) -> None:
    length = journal.path.stat().st_size
    journal.append(framed([b"one", bytes(1000)]))
    assert journal.path.stat().st_size == length == PREPARED


def test_a_journal_takes_more_than_was_prepared(tmp_path: Path) -> None:
    records = [b"one", bytes(PREPARED - 100), b"two" * 100, b"three"]
    journal = Journal(tmp_path)
    for record in records:
        assert not journal.is_full or record == b"three"
        journal.append(framed([record]))
    assert journal.is_full
    journal.close()
    assert read(tmp_path) == records


def test_a_journal_that_grew_as_it_was_written_is_read_and_removed(tmp_path: Path) -> None:
    # As Pinfold wrote them before they were prepared.
    path = written(tmp_path, [b"", b"one"])
    with only(tmp_path) as seen:
        *_, (_, end) = seen.records()
    os.truncate(path, end)
    assert read(tmp_path) == [b"", b"one"]
    with only(tmp_path) as seen:
        seen.remove(end)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_lost_what_was_taken_up_is_done_with(tmp_path: Path) -> None:
    path = written(tmp_path, [b"one"])
    os.truncate(path, 5)
    with only(tmp_path) as seen:
        assert list(seen.records(100)) == []
        seen.remove(100)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_claims_any_length_is_set_aside_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 32)
    path.touch()
    os.truncate(path, 1 << 40)
    with only(tmp_path) as seen:
        assert list(seen.records()) == []
        seen.remove(0)
    assert list(tmp_path.iterdir()) == [path.with_suffix(".torn")]


def test_a_journal_of_which_more_was_taken_up_than_there_is_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, [b"one", b"two"])
    with only(tmp_path) as seen:
        seen.remove(5_000)
    assert list(tmp_path.iterdir()) == [path.with_suffix(".torn")]
    assert "has 22 bytes of entries, and the ledger claims to have 5000" in caplog.text


def test_a_disk_that_takes_no_content_does_not_fill_with_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    for _ in range(3):
        journal = Journal(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", lambda _, data, place: 0)
            with pytest.raises(StoreError, match="the disk is full"):
                journal.append(framed([b"one"]))
        journal.close()
    # Where there is room for a part of what is to be prepared.
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: pwrite(file, data[: PREPARED // 2], place))
    for _ in range(3):
        with pytest.raises(StoreError, match="the disk is full"):
            Journal(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_begun_keeps_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError("out of order")

    monkeypatch.setattr(journal_module, "sync_folder", fail)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(StoreError, match="out of order"):
        Journal(tmp_path)
    # What others left behind may be collected meanwhile.
    assert set(Path("/proc/self/fd").iterdir()) <= before
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


def test_what_a_process_that_died_had_not_prepared_is_swept_away_and_what_one_prepares_is_not(tmp_path: Path) -> None:
    whole = written(tmp_path, [b"a record"])
    left, under_way = tmp_path / f"{'a' * 32}.new", tmp_path / f"{'b' * 32}.new"
    left.write_bytes(bytes(10))
    with under_way.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {whole, under_way}


def test_a_folder_that_is_not_there_needs_no_sweep(tmp_path: Path) -> None:
    sweep(tmp_path / "journal")


def test_a_journal_is_locked_while_it_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = journal_module._write

    def swept_meanwhile(file: int, data: bytes, place: int) -> None:
        sweep(tmp_path)
        prepare(file, data, place)

    monkeypatch.setattr(journal_module, "_write", swept_meanwhile)
    assert written(tmp_path, [b"a record"]).exists()
    assert read(tmp_path) == [b"a record"]
