"""Archives that nobody has tampered with raise nothing, whatever they are made with."""

import io
import zipfile

import msgspec
import pytest
from tests.unit.inspection.archives import (
    INFO,
    SDIST_NAME,
    Entry,
    Wheel,
    Zip,
    member,
    sdist,
    zip_sdist,
)
from tests.unit.inspection.examining import examine, kinds

from pinfold.domain.decision import Effect
from pinfold.domain.inspection import Kind, Report
from pinfold.inspection import compare

ELF = b"\x7fELF" + bytes(200)
PRECEDENCE = (
    b"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    b"enabled and __import__('_distutils_hack').add_shim(); \n"
)


def test_a_plain_wheel_raises_nothing() -> None:
    report = examine(Wheel().build())
    assert report.observations == ()
    assert report.complete
    assert report.top_level == ("acme",)
    assert report.entries == 5


def test_a_wheel_written_by_zipfile_raises_nothing() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in Wheel().contents().items():
            archive.writestr(path, data)
    assert examine(out.getvalue()).observations == ()


class _Unseekable(io.RawIOBase):
    """A stream to which zipfile writes sizes behind the data, not in front of it."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.written += bytes(data)
        return len(data)


class _Wide(zipfile.ZipInfo):
    """An entry whose header leaves its sizes to its wide ones, as it has to, and zipfile does since Python 3.11.4."""

    def FileHeader(self, zip64: bool | None = None) -> bytes:  # noqa: N802 - zipfile's name
        header = super().FileHeader(zip64)
        return header[:18] + b"\xff" * 8 + header[26:]


@pytest.mark.parametrize("wide", [False, True])
def test_a_wheel_written_to_a_stream_raises_nothing(wide: bool) -> None:
    out = _Unseekable()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in Wheel().contents().items():
            info = (_Wide if wide else zipfile.ZipInfo)(path)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=wide) as entry:
                entry.write(data)
    assert examine(out.written).observations == ()


def test_a_wheel_with_wide_entries_raises_nothing() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in Wheel().contents().items():
            with archive.open(path, "w", force_zip64=True) as entry:
                entry.write(data)
    assert examine(out.getvalue()).observations == ()


def test_folders_stored_entries_and_names_beyond_ascii_raise_nothing() -> None:
    wheel = Wheel({"acme/data/": b"", "acme/data/Ägypten.txt": b"pyramids", "acme/empty.txt": b""})
    entries = [Entry(**{**vars(entry), "method": 0}) for entry in wheel.entries()]
    assert examine(Zip(tuple(entries)).build()).observations == ()


def test_signatures_of_record_need_no_row_and_sha512_will_do() -> None:
    wheel = Wheel({"acme-1.0.dist-info/RECORD.jws": b"{}"}, rows=lambda rows: [r for r in rows if ".jws" not in r])
    assert examine(wheel.build()).observations == ()


def test_a_version_spelt_otherwise_is_the_same_version() -> None:
    metadata = b"Metadata-Version: 2.1\nName: Ac.Me\nVersion: 1.0.0\n\n"
    assert (
        examine(
            Wheel(metadata=metadata, info="ac_me-1.0.0.dist-info").build(),
            "ac_me-1.0.0-py3-none-any.whl",
            project="ac-me",
        ).observations
        == ()
    )


@pytest.mark.parametrize("build", [sdist, zip_sdist])
def test_a_plain_sdist_raises_nothing(build: object) -> None:
    name = SDIST_NAME if build is sdist else "acme-1.0.zip"
    report = examine(build(), name)  # type: ignore[operator]
    assert report.observations == ()
    assert report.complete
    assert report.entries == 4


def test_links_inside_an_sdist_raise_nothing() -> None:
    report = examine(
        sdist(
            member("acme-1.0/docs", type=b"5", mode=0o755),
            member("acme-1.0/docs/LICENSE", type=b"2", linkname="../README.md"),
            member("acme-1.0/COPY.md", type=b"1", linkname="acme-1.0/README.md"),
        ),
        SDIST_NAME,
    )
    assert report.observations == ()


def test_dotted_names_long_names_and_global_comments_in_an_sdist_raise_nothing() -> None:
    long = "acme-1.0/" + "/".join(["f" * 50] * 8) + ".txt"
    plain = sdist(member(long, b"deep"), member("./acme-1.0/dotted.txt", b"."))
    assert examine(plain, SDIST_NAME).observations == ()


HONEST = {
    "setuptools": {"distutils-precedence.pth": PRECEDENCE, "_distutils_hack/__init__.py": b""},
    "coverage": {"a1_coverage.pth": b"import sys; exec('try:\\n import coverage\\nexcept ImportError:\\n pass')\n"},
    "editable": {
        "__editable__.acme-1.0.pth": b"import __editable___acme_1_0_finder; __editable___acme_1_0_finder.install()"
    },
    "numpy": {"acme/_core.cpython-311-x86_64-linux-gnu.so": ELF, "acme.libs/libgfortran-040039e1.so.5.0.0": ELF},
    "data": {"acme-1.0.data/data/share/man/man1/acme.1": b".TH", "acme-1.0.data/scripts/acme": b"#!python\n"},
    "commands": {f"{INFO}/entry_points.txt": b"[console_scripts]\nacme = acme.cli:main\n\n[pytest11]\nacme = acme.p\n"},
}


@pytest.mark.parametrize("use", HONEST)
def test_an_honest_use_raises_nothing_and_is_nothing_new_to_the_next_release(use: str) -> None:
    report = examine(Wheel(HONEST[use]).build())
    assert report.observations == ()
    assert report.traits
    assert compare(report, report) == []


def test_the_version_in_a_hook_and_the_platform_of_a_binary_are_nothing_new() -> None:
    def release(version: str, files: dict[str, bytes]) -> Report:
        info = f"acme-{version}.dist-info"
        metadata = f"Name: acme\nVersion: {version}\n\n".encode()
        name = f"acme-{version}-py3-none-any.whl"
        return examine(Wheel(files, metadata=metadata, info=info).build(), name, version=version)

    before = release(
        "1.0",
        {
            "__editable__.acme-1.0.pth": b"import __editable___acme_1_0_finder",
            "acme/_core.cpython-311-x86_64-linux-gnu.so": ELF,
            "acme.libs/libz-0123abcd.so.1": ELF,
        },
    )
    after = release(
        "1.1",
        {
            "__editable__.acme-1.1.pth": b"import __editable___acme_1_1_finder",
            "acme/_core.cp312-win_amd64.pyd": b"MZ" + bytes(100),
            "acme.libs/libz-9999ffff.so.1": ELF,
        },
    )
    assert compare(after, before) == []


def test_a_report_survives_being_stored() -> None:
    report = examine(Wheel(HONEST["setuptools"]).with_extra(Entry(b"../evil", b"x")))
    assert kinds(report) >= {Kind.PATH_ESCAPE}
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_kinds_are_kebab_case_and_their_grades_are_what_they_stand_for() -> None:
    assert all(kind.value == kind.name.lower().replace("_", "-") for kind in Kind)
    assert Kind.PATH_ESCAPE.grade is Effect.DENY
    assert Kind.NEW_START_UP_HOOK.grade is Effect.QUARANTINE
    assert Kind.TOO_LARGE.grade is Effect.QUARANTINE
    assert Kind.NEW_OPAQUE_CODE.grade is Effect.QUARANTINE
    assert Kind.NEW_BINARY.grade is Effect.WARN


def test_a_file_that_was_packed_twice_into_an_sdist_is_told_and_held_against_nobody() -> None:
    notice = member("acme-1.0/NOTICE.txt", b"notice")
    report = examine(sdist(notice, notice), SDIST_NAME)
    assert kinds(report) == {Kind.REPEATED_ENTRY}
    assert Kind.REPEATED_ENTRY.grade is Effect.WARN


def test_tests_beside_the_package_may_decode_and_run_things_and_modules_may_not() -> None:
    code = b"import base64, subprocess, sys\nsubprocess.run([sys.executable, '-c', base64.b64decode(X)])\n"
    for folder, kind in (
        ("tests", Kind.NEW_OPAQUE_CODE_ASIDE),
        ("third_party/tls/testdata", Kind.NEW_OPAQUE_CODE_ASIDE),
        ("acme/tests", Kind.NEW_OPAQUE_CODE),
        ("src/tests", Kind.NEW_OPAQUE_CODE),
    ):
        report = examine(sdist(member(f"acme-1.0/{folder}/runs.py", code)), SDIST_NAME)
        assert [trait.observation.kind for trait in report.traits if "runs.py" in trait.identity] == [kind], folder
    assert Kind.NEW_OPAQUE_CODE_ASIDE.grade is Effect.WARN
    wheel = Wheel()
    wheel.files["tests/runs.py"] = code
    assert Kind.NEW_OPAQUE_CODE in {trait.observation.kind for trait in examine(wheel.build()).traits}
