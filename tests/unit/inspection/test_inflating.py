"""Compressed bytes, whole, damaged and hostile: they are taken for what zlib, and so pip, takes them for."""

import gzip
import io
import random
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pinfold.domain.inspection import Kind
from pinfold.inspection.content import CHUNK
from pinfold.inspection.limits import Budget, Limits, Unreadable
from pinfold.inspection.notes import Notes
from pinfold.inspection.tar_stream import TarStream
from pinfold.inspection.zip_content import unpack
from pinfold.inspection.zip_structure import DEFLATED, Entry

MANY = settings(max_examples=500, deadline=None)
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED)

plain = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from([b"acme", b"import ", b"\n", b"\0" * 50, b"x"]), max_size=60).map(b"".join),
    st.builds(lambda seed, times: random.Random(seed).randbytes(40) * times, st.integers(0, 99), st.integers(1, 99)),
)


def deflate(data: bytes, level: int, strategy: int, window: int) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, window, 8, strategy)
    return deflater.compress(data) + deflater.flush()


def streams(window: int) -> st.SearchStrategy[bytes]:
    return st.builds(deflate, plain, st.integers(0, 9), st.sampled_from(STRATEGIES), st.just(window))


def flip(data: bytes, bits: list[int]) -> bytes:
    changed = bytearray(data)
    for bit in bits:
        changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def damaged(window: int) -> st.SearchStrategy[bytes]:
    """Streams with bits flipped, most of them where codes are described; cut off, and with bytes behind them."""
    bits = st.lists(st.integers(0, 200) | st.integers(0, 1 << 14), max_size=3)
    flipped = st.builds(flip, streams(window), bits)
    cut = st.builds(lambda data, at: data[: at % (len(data) + 1)], flipped, st.integers(0, 1 << 12))
    return st.one_of(flipped, cut, st.builds(lambda data, more: data + more, flipped, st.binary(max_size=20)))


def as_zlib_tells(data: bytes, window: int) -> tuple[bytes, int] | None:
    """Return what a stream unpacks to, and how many bytes are behind it; None where it is damaged or cut off."""
    inflater = zlib.decompressobj(window)
    try:
        unpacked = inflater.decompress(data)
    except zlib.error:
        return None
    return (unpacked, len(inflater.unused_data)) if inflater.eof else None


def incomplete_codes() -> bytes:
    """Return what some decoders take: a block whose code lengths leave codes that mean nothing."""
    return bytes.fromhex("e5dba10e00000c03c121ad51ea61f67024b8a4962c1c85458201")


@MANY
@given(damaged(-15))
@example(incomplete_codes())
@example(bytes.fromhex("000d00f2ff7d90bc8fdf1d62c053c972f0e305d831010000000090feaded1a00"))
@example(bytes.fromhex("0300") + b"hidden")
@example(b"")
def test_an_entry_is_what_zlib_takes_it_for(packed: bytes) -> None:
    expected = as_zlib_tells(packed, -15)
    data, behind = expected or (b"", 0)
    entry = Entry("acme/x", b"acme/x", 0, DEFLATED, zlib.crc32(data), len(packed), len(data), 0, header=0)
    notes, budget = Notes(Limits()), Budget(Limits(), len(packed))
    unpacked = b"".join(unpack(io.BytesIO(packed), entry, notes, budget))
    told = {observation.kind for observation in notes.observations}
    if expected is None:
        assert told == {Kind.DAMAGED_ENTRY}
    else:
        assert unpacked == data
        assert told == ({Kind.HIDDEN_DATA} if behind else set())


@MANY
@given(damaged(31))
def test_a_gzip_stream_is_what_zlib_takes_it_for(packed: bytes) -> None:
    expected = as_zlib_tells(packed, 31)
    notes = Notes(Limits())
    try:
        stream = TarStream(io.BytesIO(packed), notes, Budget(Limits(), len(packed)))
        unpacked = b"".join(stream.take(1 << 20))
        stream.finish()
    except Unreadable:
        assert expected is None
    else:
        assert expected is not None
        assert unpacked == expected[0]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 4, CHUNK + 257, 3 * CHUNK + 100])
@pytest.mark.parametrize("seed", [b"\0", None])
def test_long_entries_come_in_pieces_of_bounded_size(size: int, seed: bytes | None) -> None:
    data = seed * size if seed is not None else random.Random(size).randbytes(size)
    packed = deflate(data, 6, zlib.Z_DEFAULT_STRATEGY, -15)
    entry = Entry("acme/x", b"acme/x", 0, DEFLATED, zlib.crc32(data), len(packed), size, 0, header=0)
    notes, budget = Notes(Limits()), Budget(Limits(), len(packed))
    pieces = list(unpack(io.BytesIO(packed), entry, notes, budget))
    assert b"".join(pieces) == data
    assert all(len(piece) <= CHUNK for piece in pieces)
    assert notes.observations == ()
    stream = TarStream(io.BytesIO(gzip.compress(data)), notes, Budget(Limits(), len(packed)))
    assert b"".join(stream.take(size + 1)) == data
