"""Zips and folders that were made to harm: refused with a reason, before they cost anything."""

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.osv import zipped

from pinfold.adapters.osv import archive as under_test
from pinfold.adapters.osv.archive import find_records, mark_of, open_zip, read_files, read_zip
from pinfold.domain.errors import FeedError


def contents(raw: bytes) -> list[bytes]:
    archive, members = open_zip(io.BytesIO(raw))
    with archive:
        return list(read_zip(archive, members))


def test_records_are_the_json_members_in_whatever_folder() -> None:
    raw = zipped({"a.json": b"1", "PyPI/b.json": b"2", "README.md": b"3", "c.JSON": b"4"})
    assert contents(raw) == [b"1", b"2"]


def test_names_that_would_escape_do_nothing() -> None:
    assert contents(zipped({"../../../etc/passwd.json": b"1", "/abs.json": b"2"})) == [b"1", b"2"]


@pytest.mark.parametrize("raw", [b"", b"PK", b"<html>not here</html>", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_told_as_such(raw: bytes) -> None:
    with pytest.raises(FeedError, match="not a zip"):
        contents(raw)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9, 0.99])
def test_truncated_zip_is_refused(keep: float) -> None:
    raw = zipped({f"{number}.json": b"x" * 100 for number in range(50)})
    with pytest.raises(FeedError):
        contents(raw[: int(len(raw) * keep)])


def test_damaged_member_is_refused() -> None:
    raw = bytearray(zipped({"a.json": bytes(range(256)) * 40}))
    raw[60] ^= 0xFF
    with pytest.raises(FeedError, match=r"a\.json"):
        contents(bytes(raw))


def test_bomb_is_refused_before_it_unfolds() -> None:
    bomb = zipped({"a.json": b"\0" * (64 << 20)})
    assert len(bomb) < 100_000
    with pytest.raises(FeedError, match="no feed looks like that"):
        open_zip(io.BytesIO(bomb))


def test_member_that_lies_about_its_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MAX_RECORD", 1000)
    raw = zipped({"a.json": b"\0" * 100_000})
    honest, lie = struct.pack("<I", 100_000), struct.pack("<I", 10)
    assert raw.count(honest) == 2
    with pytest.raises(FeedError):
        contents(raw.replace(honest, lie))


def test_large_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MAX_RECORD", 1000)
    assert contents(zipped({"a.json": b"x" * 1000})) == [b"x" * 1000]
    with pytest.raises(FeedError, match="larger than 1000"):
        contents(zipped({"a.json": b"x" * 1001}))


def test_records_are_bounded_together_and_in_number(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raw = zipped({f"{number}.json": b"x" * 100 for number in range(20)})
    for number in range(20):
        (tmp_path / f"{number}.json").write_bytes(b"x" * 100)
    paths = find_records(tmp_path)
    monkeypatch.setattr(under_test, "MAX_CONTENT", 1999)
    with pytest.raises(FeedError, match="unfolds"):
        contents(raw)
    with pytest.raises(FeedError, match="together"):
        list(read_files(paths))
    monkeypatch.setattr(under_test, "MAX_RECORDS", 19)
    with pytest.raises(FeedError, match="more than 19"):
        contents(raw)
    with pytest.raises(FeedError, match="more than 19"):
        find_records(tmp_path)


def test_members_that_share_their_bytes_are_refused() -> None:
    with pytest.raises(FeedError, match=r"overlap|no feed looks like that"):
        open_zip(io.BytesIO(_overlapping(300)))


def _overlapping(copies: int) -> bytes:
    """One stored member that the central directory names again and again."""
    content = b"x" * 10_000
    raw = zipped_stored("0000.json", content)
    end = raw.rindex(b"PK\x05\x06")
    start = raw.index(b"PK\x01\x02")
    entry = raw[start:end]
    directory = b"".join(entry.replace(b"0000.json", b"%04d.json" % number) for number in range(copies))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, copies, copies, len(directory), start, 0)
    return raw[:start] + directory + tail


def zipped_stored(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_encrypted_zip_is_refused() -> None:
    raw = bytearray(zipped({"a.json": b"1"}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(FeedError, match="encrypted"):
        contents(bytes(raw))


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
