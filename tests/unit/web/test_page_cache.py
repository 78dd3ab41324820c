import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold.web import page_cache
from pinfold.web.page_cache import PROBED, bring_in, is_in_memory

SIZE = 3 * PROBED + 10


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_every_part_is_probed_and_one_that_is_not_there_tells(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = 2 * PROBED
    probed: list[int] = []

    def preadv(_: int, buffers: list[bytearray], place: int, flags: int) -> int:
        probed.append(place)
        if place == missing:
            raise BlockingIOError
        return len(buffers[0])

    monkeypatch.setattr(page_cache, "_PROBE_FLAGS", 8)
    monkeypatch.setattr(os, "preadv", preadv, raising=False)
    assert is_in_memory(descriptor, 0, PROBED)
    assert probed == [0, PROBED - 1]
    assert not is_in_memory(descriptor, 0, SIZE)
    assert is_in_memory(descriptor, missing + 1, 5)


def test_nothing_is_in_memory_beyond_the_end_or_where_nobody_can_tell(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_in_memory(descriptor, SIZE, 5)
    monkeypatch.setattr(page_cache, "_PROBE_FLAGS", None)
    assert not is_in_memory(descriptor, 0, 5)


def test_bringing_in_ends_with_the_file(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def counted(file: int, count: int, place: int) -> bytes:
        content = pread(file, count, place)
        read.append(len(content))
        return content

    monkeypatch.setattr(os, "pread", counted)
    bring_in(descriptor, 10, PROBED + 5)
    assert sum(read) == PROBED + 5
    bring_in(descriptor, SIZE - 4, 100)
    assert sum(read) == PROBED + 9
