"""Zips that were made to harm: refused with a reason, before they cost anything."""

import io
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.osv import zipped

from pinfold.adapters.osv import zip_records as under_test
from pinfold.adapters.osv.zip_records import ZipRecords
from pinfold.domain.errors import FeedError


def contents(raw: bytes) -> list[bytes]:
    records = ZipRecords(io.BytesIO(raw))
    found = list(records)
    assert len(found) == records.count
    return found


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
    bomb = zipped({f"{number}.json": b"\0" * (15 << 20) for number in range(4)})
    assert len(bomb) < 100_000
    with pytest.raises(FeedError, match="no feed looks like that"):
        ZipRecords(io.BytesIO(bomb))


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


def test_records_are_bounded_together_and_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = zipped({f"{number}.json": b"x" * 100 for number in range(20)})
    monkeypatch.setattr(under_test, "MAX_CONTENT", 1999)
    with pytest.raises(FeedError, match="unfolds"):
        contents(raw)
    monkeypatch.setattr(under_test, "MAX_RECORDS", 19)
    with pytest.raises(FeedError, match="more than 19"):
        contents(raw)


def test_members_that_share_their_bytes_are_refused() -> None:
    with pytest.raises(FeedError, match=r"overlap|no feed looks like that"):
        ZipRecords(io.BytesIO(_overlapping(300)))


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


class Pipe(io.RawIOBase):
    """What cannot be sought, so that zipfile writes sizes behind the data."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.content += data
        return len(data)


@given(
    st.dictionaries(st.from_regex(r"[a-zA-Z0-9/-]{1,40}\.json", fullmatch=True), st.binary(max_size=300), max_size=20),
    st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]),
    st.booleans(),
    st.binary(max_size=40),
)
def test_every_zip_reads_as_zipfile_reads_it(
    records: dict[str, bytes], method: int, streamed: bool, before: bytes
) -> None:
    target = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
        archive.comment = b"a mirror's comment"
    raw = bytes(target.content) if isinstance(target, Pipe) else target.getvalue()
    with zipfile.ZipFile(io.BytesIO(before + raw)) as archive:
        expected = [archive.read(member) for member in archive.infolist()]
    assert contents(before + raw) == expected == list(records.values())


def test_large_feed_takes_zip64_and_hardly_any_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 100)
    buffer, number = io.BytesIO(), 10_000
    with zipfile.ZipFile(buffer, "w") as archive:
        for each in range(number):
            archive.writestr(f"MAL-2026-{each}.json", b"{}")
    tracemalloc.start()
    try:
        found = sum(content == b"{}" for content in ZipRecords(buffer))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert b"PK\x06\x06" in buffer.getvalue()
    assert found == number
    assert peak < 2 << 20


SMALL = zipped({"a.json": b'{"id": "MAL-1"}' * 9, "b.json": b"1", "c.txt": b"2"})


@given(st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_anywhere_is_refused_or_does_not_matter(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(SMALL)
    for at, value in changes:
        raw[at] = value
    try:
        found = contents(bytes(raw))
    except FeedError:
        return
    assert set(found) <= {b'{"id": "MAL-1"}' * 9, b"1", b"2"}


def test_other_name_in_front_of_the_data_is_refused() -> None:
    with pytest.raises(FeedError, match="another name"):
        contents(zipped({"a.json": b"1"}).replace(b"a.json", b"b.json", 1))


def test_directory_that_counts_otherwise_is_refused() -> None:
    raw = bytearray(zipped({"a.json": b"1", "b.json": b"2"}))
    raw[-12] = raw[-14] = 3
    with pytest.raises(FeedError, match="counts 3 entries of 2"):
        contents(bytes(raw))


def test_method_that_no_feed_uses_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.json", b"1")
    with pytest.raises(FeedError, match="method 14"):
        contents(buffer.getvalue())
