"""Exports that are whole verify, and whatever else comes is answered soon."""

import tracemalloc
from io import BytesIO
from itertools import chain, islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audit.exports import (
    ENTRIES,
    EXPORT,
    HEADER,
    LARGE,
    LARGE_LINES,
    LINES,
    SMALL,
    large_line,
)
from tests.unit.audit.logs import KEYS, Log, canonical, verified

from pinfold.audit.export import MAX_LINE_BYTES
from pinfold.audit.findings import LIMIT, Verification
from pinfold.audit.note import to_base64
from pinfold.audit.verify_export import verify_export


@pytest.mark.parametrize(
    ("log", "first", "last"), [(SMALL, 1, 6), (SMALL, 3, 5), (SMALL, 6, 6), (LARGE, 1, 600), (LARGE, 200, 520)]
)
def test_an_export_proves_itself_with_the_public_key_alone(log: Log, first: int, last: int) -> None:
    answer = verified(log.export(first, last))
    assert answer == Verification(first, last, log.size)
    assert answer.ok


def test_every_line_of_an_entry_is_what_its_leaf_hash_covers() -> None:
    assert [line.rstrip(b"\n") for line in ENTRIES] == [canonical(seq) for seq in range(1, 7)]


def test_an_empty_log_is_proven_empty() -> None:
    assert verified(Log(0).export()) == Verification(1, 0, 0)
    assert verified(SMALL.export(4, 3)) == Verification(4, 3, 6)


def test_an_export_that_broke_off_is_resumed_by_another() -> None:
    broken_off = b"".join(LARGE_LINES[: large_line(300)])
    assert not verified(broken_off).ok
    assert verified(LARGE.export(300, 600)).ok


def test_older_checkpoints_are_met_on_the_way() -> None:
    assert verified(LARGE.export(1, 600, checkpoints=[1, 255, 256, 257, 300, 512, 599, 600])).ok
    assert verified(LARGE.export(200, 520, checkpoints=[200, 256, 300, 520])).ok


@settings(max_examples=20)
@given(st.data())
def test_any_range_of_any_log_proves_itself(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 600))
    first = data.draw(st.integers(1, size))
    last = data.draw(st.integers(first - 1, size))
    assert verified(LARGE.export(first, last, size=size)) == Verification(first, last, size)


@given(st.lists(st.binary(max_size=60) | st.sampled_from(LINES), max_size=12))
def test_garbage_is_answered(lines: list[bytes]) -> None:
    export = b"".join(lines)
    assert verified(export).ok == (export == EXPORT)
    assert verified(HEADER + export).ok == (HEADER + export == EXPORT)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"\n",
        b'{"entry":' + b"[" * 100_000 + b"\n",
        b'{"entry":{},"seq":' + b"9" * 5000 + b"}\n",
        b'{"entry":{},"seq":-1}\n',
        b'{"entry":\xff\xfe}\n',
        b"\n",
        b"\0\n",
        b"null\n",
        b"{}\n",
        b'{"footer":{"entries":6,"checkpoints":1},"checkpoint":"x"}\n',
        b'{"checkpoint":"\\ud800"}\n',
        b'{"leaves":{"first":1,"hashes":""}}\n',
        b'{"leaves":{"first":1,"hashes":"AAAA"}}\n',
        b'{"leaves":{"first":1,"hashes":"' + b"A" * 12_000 + b'"}}\n',
        b'{"leaves":{"first":999999999999999999,"hashes":"' + to_base64(bytes(32)).encode() + b'"}}\n',
        b'{"entry":{},"seq":999999999999999999}\n',
    ],
)
def test_an_odd_line_anywhere_is_found(line: bytes) -> None:
    for at in range(len(LINES) + 1):
        assert not verified(b"".join([*LINES[:at], line, *LINES[at:]])).ok


def test_a_flood_of_problems_is_counted_and_not_kept() -> None:
    flood = [canonical(seq).replace(b"six", b"nix") + b"\n" for seq in range(3000)]
    answer = verified(b"".join([*LINES[:5], *flood, *LINES[5:]]))
    assert answer.problems[0].seq == 3
    assert len(answer.problems) <= LIMIT
    assert "more damage" in answer.problems[-2].text
    answer = verified(b"".join([*LINES[:5], *(b"%d\n" % number for number in range(3000)), *LINES[5:]]))
    assert len(answer.problems) + answer.more == 3000


def test_a_ruined_log_is_answered_soon() -> None:
    log = Log(3000)
    lines = log.export().splitlines(keepends=True)
    entries = [line for line in lines if line.startswith(b'{"entry"')]
    answer = verified(b"".join([*lines[:2], *reversed(entries), *lines[-1:]]))
    assert not answer.ok
    assert answer.problems[0].seq == 1


@pytest.mark.parametrize("line", [ENTRIES[2], b"x\n"], ids=["an entry", "no entry"])
def test_memory_does_not_grow_with_the_export(line: bytes) -> None:
    class Endless(BytesIO):
        def __init__(self) -> None:
            self.lines = islice(chain([HEADER], repeat(line)), 20_000)

        def readline(self, size: int | None = -1, /) -> bytes:
            return next(self.lines, b"")

    tracemalloc.start()
    try:
        answer = verify_export(Endless(), KEYS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not answer.ok
    assert peak < 2_000_000


def test_a_line_without_end_is_not_read_into_memory() -> None:
    reads: list[int | None] = []

    class OneLine(BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            reads.append(size)
            return super().readline(size)

    assert not verify_export(OneLine(HEADER + b"x" * (MAX_LINE_BYTES + 1)), KEYS).ok
    assert set(reads) == {MAX_LINE_BYTES}
