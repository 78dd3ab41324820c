"""What hostile archives cost: little time, little memory, whatever they unpack to."""

import gzip
import io
import tarfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.inspection.archives import SDIST_NAME, WHEEL_NAME, Entry, Wheel, member, sdist_members, tar
from tests.unit.inspection.examining import examine, kinds

from pinfold.domain.inspection import Kind
from pinfold.inspection import Limits

SECONDS = 5.0
MEGABYTE = 1 << 20


def zeros(size: int, *, gzipped: bool = False) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31 if gzipped else -15)
    packed = b"".join(deflater.compress(bytes(MEGABYTE)) for _ in range(size // MEGABYTE))
    return packed + deflater.flush()


def quine_of_a_kind() -> bytes:
    """A wheel of which all entries but one share the same bytes, after the fashion of the non-recursive zip bombs."""
    kernel = zeros(8 * MEGABYTE)
    first = Entry(b"acme/0.bin", packed=kernel, size=8 * MEGABYTE, crc=0)
    twins = [
        Entry(f"acme/{number}.bin".encode(), packed=kernel, size=8 * MEGABYTE, crc=0, offset=0, present=False)
        for number in range(1, 1000)
    ]
    return Wheel().with_extra(first, *twins)


def liar() -> bytes:
    """An entry that declares ten bytes and unpacks to a hundred megabytes."""
    return Wheel().with_extra(Entry(b"acme/x.py", packed=zeros(128 * MEGABYTE), size=10, crc=0))


def stream_of_zeros() -> bytes:
    return zeros(128 * MEGABYTE, gzipped=True)


def headers_only() -> bytes:
    return gzip.compress(tar([member(f"acme-1.0/{number}") for number in range(10_000)]))


def extended_headers_only() -> bytes:
    headers = {f"key{number}": "v" * 50 for number in range(200)}
    return gzip.compress(tar([member(f"acme-1.0/{n}", pax_headers=headers) for n in range(1_000)]), 1)


def global_headers_only() -> bytes:
    out = io.BytesIO()
    for number in range(2_000):
        headers = {f"key{number}.{inner}": "v" for inner in range(40)}
        out.write(tarfile.TarInfo.create_pax_global_header(headers))
        out.write(member(f"acme-1.0/{number}")[0].tobuf())
    return gzip.compress(out.getvalue())


def digits_in_every_header() -> bytes:
    keyword = b"1" * 90 + b" hdrcharset"
    block = keyword * (60_000 // len(keyword))
    info = tarfile.TarInfo("PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, len(block)
    plain = tarfile.TarInfo("acme-1.0/a").tobuf()
    return gzip.compress((info.tobuf() + block.ljust(-(-len(block) // 512) * 512, b"\0") + plain) * 500)


def sparse_maps() -> bytes:
    info = tarfile.TarInfo("acme-1.0/sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:512]))
    more = b"00000000001\0" * 42 + b"\1" + bytes(7)
    return gzip.compress(bytes(block) + more * 100_000)


def modules_that_are_slow_to_parse() -> bytes:
    source = b"import base64\nexec(base64.b64decode('x'))\nx = [" + b"0," * 49_000 + b"]"
    return Wheel({f"acme/m{number}.py": source for number in range(40)}).build()


def modules_that_are_slow_to_scan() -> bytes:
    run = b"A" * 999 + b"\n"
    return Wheel({f"acme/m{number}.py": run * 500 + b"  exec os" * 5000 for number in range(10)}).build()


def record_of_many_rows() -> bytes:
    return Wheel(rows=lambda rows: [*rows, *(f"acme/{number},," for number in range(20_000))]).build()


def metadata_of_many_headers() -> bytes:
    metadata = b"Name: acme\nVersion: 1.0\n" + b"Requires-Dist: a @ ((((((((((((((((((((((\n" * 4_000
    return Wheel(metadata=metadata).build()


def metadata_of_one_header() -> bytes:
    return Wheel(metadata=b"Name: acme\nVersion: 1.0\nX: a\n" + b" b\n" * 60_000).build()


def toml_of_many_tables() -> bytes:
    document = b"".join(b"[a.%d.b.c.d.e]\n" % number for number in range(4_000))
    return gzip.compress(tar([*sdist_members({"pyproject.toml": document})]))


def extra_fields_of_nothing() -> bytes:
    extra = (b"\x55\x55\0\0") * 16_000
    return Wheel().with_extra(*(Entry(f"acme/{number}.txt".encode(), extra=extra) for number in range(100)))


def names_of_many_characters() -> bytes:
    return Wheel({"acme/" + "\ufdfa" * 4_000 + str(number): b"" for number in range(20)}).build()


def end_records_without_end() -> bytes:
    return Wheel().build() + b"PK\x05\x06" * 16_000


COSTLY = [
    (quine_of_a_kind, WHEEL_NAME),
    (liar, WHEEL_NAME),
    (modules_that_are_slow_to_parse, WHEEL_NAME),
    (modules_that_are_slow_to_scan, WHEEL_NAME),
    (record_of_many_rows, WHEEL_NAME),
    (metadata_of_many_headers, WHEEL_NAME),
    (metadata_of_one_header, WHEEL_NAME),
    (extra_fields_of_nothing, WHEEL_NAME),
    (names_of_many_characters, WHEEL_NAME),
    (end_records_without_end, WHEEL_NAME),
    (stream_of_zeros, SDIST_NAME),
    (headers_only, SDIST_NAME),
    (extended_headers_only, SDIST_NAME),
    (global_headers_only, SDIST_NAME),
    (digits_in_every_header, SDIST_NAME),
    (sparse_maps, SDIST_NAME),
    (toml_of_many_tables, SDIST_NAME),
]


@pytest.mark.parametrize(("build", "filename"), COSTLY, ids=[build.__name__ for build, _ in COSTLY])
def test_an_archive_made_to_be_costly_is_not(build: Callable[[], bytes], filename: str) -> None:
    data = build()
    tracemalloc.start()
    started = time.process_time()
    try:
        report = examine(data, filename, limits=Limits(seconds=1.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        seconds = time.process_time() - started
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < 64 * MEGABYTE
    assert Kind.INSPECTION_FAILED not in kinds(report)


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    import random

    noise = random.Random(1).randbytes(8 * MEGABYTE)
    data = Wheel({"acme/noise.bin": noise}).build()
    tracemalloc.start()
    try:
        report = examine(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.observations == ()
    assert peak < 4 * MEGABYTE
