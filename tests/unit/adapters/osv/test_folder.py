"""Folders of records, whatever else is in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold.adapters.osv import folder as under_test
from pinfold.adapters.osv.folder import find_records, mark_of, read_files
from pinfold.domain.errors import FeedError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.json").write_bytes(b"1")
    (tmp_path / "b" / "c.json").write_bytes(b"2")
    (tmp_path / "notes.txt").write_bytes(b"3")
    return tmp_path


def test_folder_is_read_with_those_below_and_without_links_out_of_it(folder: Path, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "d.json").write_bytes(b"4")
    (folder / "link").symlink_to(elsewhere)
    assert list(read_files(find_records(folder))) == [b"1", b"2"]


def test_mark_changes_with_any_file(folder: Path) -> None:
    before = mark_of(find_records(folder))
    assert mark_of(find_records(folder)) == before
    (folder / "a.json").write_bytes(b"12")
    changed = mark_of(find_records(folder))
    (folder / "a.json").unlink()
    assert len({before, changed, mark_of(find_records(folder))}) == 3


def test_file_that_goes_while_it_is_read_is_told(folder: Path) -> None:
    paths = find_records(folder)
    paths[0].unlink()
    with pytest.raises(FeedError, match=r"a\.json"):
        list(read_files(paths))
    with pytest.raises(FeedError, match=r"a\.json"):
        mark_of(paths)


def test_records_are_bounded_alone_together_and_in_number(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "a.json").write_bytes(b"x" * 100)
    paths = find_records(folder)
    monkeypatch.setattr(under_test, "MAX_CONTENT", 100)
    with pytest.raises(FeedError, match="together"):
        list(read_files(paths))
    monkeypatch.setattr(under_test, "MAX_RECORD", 99)
    with pytest.raises(FeedError, match="larger than 99"):
        list(read_files(paths))
    monkeypatch.setattr(under_test, "MAX_RECORDS", 1)
    with pytest.raises(FeedError, match="more than 1 "):
        find_records(folder)
