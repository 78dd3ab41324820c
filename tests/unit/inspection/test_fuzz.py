"""Archives with random damage: inspecting them ends, soon, in a report; one that raises nothing is what it seems."""

import gzip
import io
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.inspection.archives import (
    INFO,
    SDIST_NAME,
    WHEEL_NAME,
    Wheel,
    member,
    sdist_members,
    tar,
    zip_sdist,
)
from tests.unit.inspection.examining import examine, kinds

from pinfold.domain.inspection import Kind, Report
from pinfold.inspection import Limits, compare

LIMITS = Limits(entries=1000, unpacked_size=1 << 24, entry_size=1 << 22, ratio_from=1 << 22, seconds=2.0)
SECONDS = 3.0
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Mutation = Callable[[bytes], bytes]
# Bytes that mean something in one of the formats.
_TELLING = [
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"),
    *(b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff", b"../", b"\x00", b"/", b"\x01\x00\x10\x00"),
    *(b"0", b"7" * 11, b"\x80" + b"\xff" * 11, b"x", b"g", b"L", b"K", b"S", b"1", b"2", b"5"),
]


def _flip(data: bytes, at: int, bits: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :]


def _overwrite(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data)
    return data[:at] + new + data[at + len(new) :]


def _insert(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data)
    return data[:at] + new + data[at:]


def _cut(data: bytes, at: int, length: int) -> bytes:
    at %= len(data)
    return (data[:at] + data[at + length :]) or b"\0"


def _repeat(data: bytes, at: int, length: int) -> bytes:
    at %= len(data)
    return data[: at + length] + data[at:]


positions = st.integers(0, 1 << 16)
lengths = st.integers(1, 600)
mutations = st.lists(
    st.one_of(
        st.tuples(st.just(_flip), positions, st.integers(1, 255)),
        st.tuples(st.just(_overwrite), positions, st.sampled_from(_TELLING) | st.binary(min_size=1, max_size=8)),
        st.tuples(st.just(_insert), positions, st.sampled_from(_TELLING) | st.binary(min_size=1, max_size=64)),
        st.tuples(st.just(_cut), positions, lengths),
        st.tuples(st.just(_repeat), positions, lengths),
    ),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, steps: list[tuple[Callable[..., bytes], int, object]]) -> bytes:
    for change, at, argument in steps:
        data = change(data, at, argument)
    return data


@cache
def wheel() -> bytes:
    files = {
        "acme.pth": b"import acme\n",
        "acme/ä.txt": b"",
        "acme/folder/": b"",
        "acme/_core.so": b"\x7fELF" + bytes(80),
        "acme-1.0.data/scripts/acme": b"#!python\nimport base64\nexec(base64.b64decode('x'))\n",
        f"{INFO}/entry_points.txt": b"[console_scripts]\nacme = acme:main\n",
    }
    return Wheel(files).build()


@cache
def streamed_wheel() -> bytes:
    class Unseekable(io.BytesIO):
        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    out = Unseekable()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in Wheel().contents().items():
            with archive.open(path, "w", force_zip64=True) as entry:
                entry.write(data)
    return out.getvalue()


@cache
def plain_tar() -> bytes:
    return tar(
        [
            *sdist_members({"setup.py": b"from setuptools import setup\nsetup(cmdclass={'install': 1})\n"}),
            member("acme-1.0/" + "long/" * 30 + "name.txt", b"deep"),
            member("acme-1.0/link", type=tarfile.SYMTYPE, linkname="README.md"),
            member("acme-1.0/hard", type=tarfile.LNKTYPE, linkname="acme-1.0/README.md"),
        ]
    )[:16384]


@cache
def gnu_tar() -> bytes:
    sparse = member("acme-1.0/sparse", b"x")
    sparse[0].type = tarfile.GNUTYPE_SPARSE
    return tar([*sdist_members(), member("acme-1.0/" + "n" * 200, b"long"), sparse], form=tarfile.GNU_FORMAT)


def inspect_soon(data: bytes, filename: str) -> Report:
    started = time.process_time()
    report = examine(data, filename, limits=LIMITS)
    assert time.process_time() - started < SECONDS
    assert Kind.INSPECTION_FAILED not in kinds(report), report.observations
    assert all(text.isascii() and text.isprintable() for text in (o.text for o in report.observations))
    compare(report, report)
    return report


def streamed(data: bytes) -> dict[str, bytes]:
    """Read a zip archive by its local headers only, as an installer does that streams it; no descriptors here."""
    entries, at = {}, 0
    while data[at : at + 4] == b"PK\x03\x04":
        _, flags, method, _, _, _, packed, _, name_length, extra_length = struct.unpack_from("<5H3I2H", data, at + 4)
        start = at + 30 + name_length + extra_length
        name = data[at + 30 : at + 30 + name_length].decode("utf-8" if flags & 0x800 else "cp437")
        body = data[start : start + packed]
        entries[name] = zlib.decompress(body, -15) if method else body
        at = start + packed
    return entries


@FUZZ
@given(mutations)
def test_a_damaged_wheel_is_inspected_and_the_undamaged_reads_alike_for_all(steps: list) -> None:  # type: ignore[type-arg]
    data = mutate(wheel(), steps)
    report = inspect_soon(data, WHEEL_NAME)
    if not report.observations:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert {info.filename: archive.read(info) for info in archive.infolist()} == streamed(data)


@FUZZ
@given(mutations)
def test_a_damaged_streamed_wheel_is_inspected(steps: list) -> None:  # type: ignore[type-arg]
    data = mutate(streamed_wheel(), steps)
    report = inspect_soon(data, WHEEL_NAME)
    if not report.observations:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None


@FUZZ
@given(st.sampled_from([plain_tar, gnu_tar]), mutations)
def test_a_damaged_tar_archive_is_inspected(build: Callable[[], bytes], steps: list) -> None:  # type: ignore[type-arg]
    data = mutate(build(), steps)
    inspect_soon(gzip.compress(data, 1), SDIST_NAME)


@FUZZ
@given(mutations)
def test_a_damaged_gzip_file_is_inspected(steps: list) -> None:  # type: ignore[type-arg]
    report = inspect_soon(mutate(gzip.compress(plain_tar(), 9, mtime=0), steps), SDIST_NAME)
    assert isinstance(report, Report)


@FUZZ
@given(mutations)
def test_a_damaged_zip_sdist_is_inspected(steps: list) -> None:  # type: ignore[type-arg]
    inspect_soon(mutate(zip_sdist(), steps), "acme-1.0.zip")


@FUZZ
@given(st.binary(max_size=2000), st.sampled_from([WHEEL_NAME, SDIST_NAME, "acme-1.0.zip", "acme-1.0.exe"]))
def test_any_bytes_are_inspected(data: bytes, filename: str) -> None:
    assert inspect_soon(data, filename).observations


@FUZZ
@given(st.integers(0, 1 << 16))
def test_a_wheel_cut_off_anywhere_is_unreadable(length: int) -> None:
    data = wheel()
    report = inspect_soon(data[: length % len(data)], WHEEL_NAME)
    assert Kind.UNREADABLE_ARCHIVE in kinds(report)


texts = st.text(max_size=200) | st.sampled_from(["import base64\nexec(base64.b64decode('x'))\n"])


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from(["acme.pth", "acme/x.py", f"{INFO}/entry_points.txt", "sitecustomize.py", "acme.start"]),
        st.binary(max_size=300) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    ),
    st.binary(max_size=300),
)
def test_any_content_of_what_is_read_is_inspected(files: dict[str, bytes], metadata: bytes) -> None:
    inspect_soon(Wheel(files, metadata=metadata).build(), WHEEL_NAME)


@FUZZ
@given(st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=8))
def test_any_names_are_inspected(names: list[str]) -> None:
    files = {name: b"" for name in names if not any("\ud800" <= sign <= "\udfff" for sign in name)}
    inspect_soon(Wheel(files).build(), WHEEL_NAME)
