"""One file entry: what makes it a file, and what is kept of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.index.json_pages import DROP, WHEEL, entry, file_of, page, parse, why_rejected
from tests.unit.index.pages import BASE, SHA

from pinfold.domain.names import FileKind
from pinfold.domain.project import RejectedEntry


@pytest.mark.parametrize(
    ("filename", "kind", "version"),
    [
        ("demo-pkg-1.0.tar.gz", FileKind.SDIST, "1.0"),
        ("Demo.Pkg-1.0.0.zip", FileKind.SDIST, "1.0.0"),
        ("demo-pkg-1.0-2.tar.gz", FileKind.SDIST, "1.0.post2"),
        ("demo-pkg-2004d.tar.gz", FileKind.SDIST, None),
        ("demo_pkg-1.0.tar.bz2", FileKind.OTHER, "1.0"),
        ("demo_pkg-1.0-py2.7.egg", FileKind.OTHER, "1.0"),
        ("demo_pkg-1.0-py2.7-macosx-10.9-x86_64.egg", FileKind.OTHER, "1.0"),
        ("demo-pkg-1.0.win32-py2.7.exe", FileKind.OTHER, None),
        ("demo-pkg-1.0.win-amd64.msi", FileKind.OTHER, None),
        ("demo-pkg-1.0-1.noarch.rpm", FileKind.OTHER, "1.0"),
    ],
)
def test_formats_of_all_ages_are_files(filename: str, kind: FileKind, version: str | None) -> None:
    file = file_of(filename=filename)
    assert (file.filename, file.kind, file.version) == (filename, kind, version)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hashes": {}}, "no sha256"),
        ({"hashes": {"md5": "0" * 32}}, "no sha256"),
        ({"hashes": {"sha256": None}}, "no sha256"),
        ({"hashes": {"sha256": ""}}, "no sha256"),
        ({"hashes": {"sha256": SHA[:-1]}}, "no sha256"),
        ({"hashes": {"sha256": SHA + "0"}}, "no sha256"),
        ({"hashes": {"sha256": SHA[:-1] + "\n"}}, "no sha256"),
        ({"hashes": {"sha256": "g" * 64}}, "no sha256"),
        ({"hashes": {"sha256": "\u0661" * 64}}, "no sha256"),
        ({"hashes": {"sha256": 5}}, "$.hashes.sha256"),
        ({"hashes": SHA}, "$.hashes"),
        ({"hashes": DROP}, "missing required field `hashes`"),
        ({"filename": "other-1.0.tar.gz"}, "names the project 'other'"),
        ({"filename": "demo_pkg-1.0-py3-none-any.whl.exe.txt"}, "neither a wheel nor an sdist"),
        ({"filename": "demo_pkg-1.0.whl"}, "not a wheel's file name"),
        ({"filename": "demo_pkg-nope-py3-none-any.whl"}, "no PEP 440 version"),
        ({"filename": "../demo_pkg-1.0.tar.gz"}, "not a distribution's file name"),
        ({"filename": "demo_pkg-1.0.tar.gz\r\nX: y"}, "not a distribution's file name"),
        ({"filename": "demo_pkg-1.0\u202e.tar.gz"}, "not a distribution's file name"),
        ({"filename": ""}, "not a distribution's file name"),
        ({"filename": "demo_pkg-" + "1" * 300 + ".tar.gz"}, "not a distribution's file name"),
        ({"url": "ftp://files.example/x"}, "no plain http or https URL"),
        ({"url": "file:///etc/passwd"}, "no plain http or https URL"),
        ({"url": "javascript:alert(1)"}, "no plain http or https URL"),
        ({"url": "data:text/html,x"}, "no plain http or https URL"),
        ({"url": "https://user:pass@files.example/x"}, "no plain http or https URL"),
        ({"url": "//user@files.example/x"}, "no plain http or https URL"),
        ({"url": "https://files.example\\@evil.example/x"}, "no plain http or https URL"),
        ({"url": "https://files.example/x\r\ny"}, "no plain http or https URL"),
        ({"url": "ht\ntps://files.example/x"}, "no plain http or https URL"),
        ({"url": "https://files.example/\x00"}, "no plain http or https URL"),
        ({"url": "https://files.example/ x"}, "no plain http or https URL"),
        ({"url": "https://\u0444iles.example/x"}, "no plain http or https URL"),
        ({"url": "https:///x"}, "no plain http or https URL"),
        ({"url": "https://[::1/x"}, "no plain http or https URL"),
        ({"url": "https://files.example:99999999/x"}, "no plain http or https URL"),
        ({"url": "https://files.example/" + "x" * 5000}, "no plain http or https URL"),
        ({"url": ""}, "no plain http or https URL"),
        ({"url": 5}, "Expected `str`, got `int` - at `$.url`"),
        ({"url": None}, "$.url"),
        ({"size": -1}, "$.size"),
        ({"size": 2**53}, "$.size"),
        ({"size": 10**30}, "$.size"),
        ({"size": "12"}, "$.size"),
        ({"size": True}, "$.size"),
        ({"yanked": 1}, "$.yanked"),
        ({"yanked": ["x"]}, "$.yanked"),
        ({"core_metadata": "yes"}, "$.core-metadata"),
        ({"core_metadata": {"sha256": 1}}, "$.core-metadata"),
        ({"requires_python": 3.9}, "$.requires-python"),
        ({"provenance": {"url": "x"}}, "$.provenance"),
        ({"provenance": True}, "$.provenance"),
    ],
)
def test_an_entry_that_cannot_be_judged_or_verified_is_rejected_with_the_reason(
    changes: dict[str, Any], says: str
) -> None:
    why = why_rejected(**changes)
    assert says in why
    assert why.isprintable()


def test_a_file_listed_twice_with_the_same_hash_counts_once_as_first_listed() -> None:
    project = parse(page(entry(size=1), entry(size=2, hashes={"sha256": SHA.upper()})))
    assert [file.size for file in project.files] == [1]
    assert project.rejected == ()


def test_a_name_with_different_hashes_is_rejected_altogether() -> None:
    other = entry(filename="demo_pkg-2.0.tar.gz")
    project = parse(
        page(entry(), other, entry(hashes={"sha256": "cd" * 32}), entry(), entry(hashes={"sha256": "ef" * 32}))
    )
    assert [file.filename for file in project.files] == ["demo_pkg-2.0.tar.gz"]
    assert project.rejected == (RejectedEntry(WHEEL, "the page lists it with different hashes"),)


def test_hashes_are_kept_in_lower_case() -> None:
    assert file_of(hashes={"sha256": SHA.upper()}).sha256 == SHA


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("https://files.example/a?b=c#sha256=00", "https://files.example/a?b=c"),
        ("http://files.example:8080/a", "http://files.example:8080/a"),
        ("http://127.0.0.1:3141/a%20b+c", "http://127.0.0.1:3141/a%20b+c"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("https://files.example/u@v/a", "https://files.example/u@v/a"),
        ("/packages/a", "https://index.example/packages/a"),
        ("a", f"{BASE}a"),
        ("../../a", "https://index.example/a"),
        ("//files.example/a", "https://files.example/a"),
    ],
)
def test_addresses_are_made_absolute_and_lose_their_fragment(url: str, absolute: str) -> None:
    assert file_of(url=url).url == absolute


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2024-03-01T10:20:30Z", datetime(2024, 3, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-03-01T10:20:30.5Z", datetime(2024, 3, 1, 10, 20, 30, 500000, UTC)),
        ("2024-03-01T10:20:30", datetime(2024, 3, 1, 10, 20, 30, tzinfo=UTC)),
        ("2024-03-01T10:20:30+02:00", datetime(2024, 3, 1, 8, 20, 30, tzinfo=UTC)),
        ("2024-03-01", None),
        ("2024-13-01T10:20:30Z", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-05:00", None),
        ("", None),
        (None, None),
        (1709288430, None),
        ({"at": "2024-03-01T10:20:30Z"}, None),
    ],
)
def test_upload_times_are_utc_and_missing_where_they_cannot_be_read(given: Any, moment: datetime | None) -> None:
    upload_time = file_of(upload_time=given).upload_time
    assert upload_time == moment
    assert upload_time is None or upload_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("yanked", "reason"),
    [
        (DROP, None),
        (None, None),
        (False, None),
        ("", None),
        (True, ""),
        ("broken", "broken"),
        ("\x1b[31mred\r\nX-Injected: 1\u202e", "[31mred X-Injected: 1"),
        ("x" * 5000, "x" * 1000),
        ("\u0007", ""),
    ],
)
def test_yank_reasons_are_one_clean_line(yanked: Any, reason: str | None) -> None:
    assert file_of(yanked=yanked).yanked == reason


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (DROP, None),
        (None, None),
        ("", None),
        ("\n", None),
        (">=3.8, !=3.9.*", ">=3.8, !=3.9.*"),
        (">=3.8,\n!=3.9.*", ">=3.8, !=3.9.*"),
        (">=3" + ",!=3.0" * 500, None),
    ],
)
def test_requires_python_is_clean_and_never_cut_short(given: Any, kept: str | None) -> None:
    assert file_of(requires_python=given).requires_python == kept


@pytest.mark.parametrize(
    ("changes", "metadata"),
    [
        ({}, False),
        ({"core_metadata": False}, False),
        ({"core_metadata": None}, False),
        ({"core_metadata": True}, True),
        ({"core_metadata": {"sha256": SHA.upper()}}, SHA),
        ({"core_metadata": {"md5": "00"}}, True),
        ({"core_metadata": {"sha256": "short"}}, True),
        ({"core_metadata": {}}, True),
        ({"dist_info_metadata": True}, True),
        ({"dist_info_metadata": {"sha256": SHA}}, SHA),
        ({"core_metadata": False, "dist_info_metadata": True}, False),
        ({"core_metadata": {"sha256": SHA}, "dist_info_metadata": False}, SHA),
    ],
)
def test_core_metadata_under_its_present_and_its_former_name(changes: dict[str, Any], metadata: str | bool) -> None:
    assert file_of(**changes).core_metadata == metadata


@pytest.mark.parametrize(
    ("provenance", "kept"),
    [
        (DROP, False),
        (None, True),
        ("https://index.example/p", "https://index.example/p"),
        ("/p", "https://index.example/p"),
        ("", False),
        ("ftp://index.example/p", False),
        ("https://user:secret@index.example/p", False),
    ],
)
def test_a_provenance_address_that_cannot_be_asked_is_silence_and_no_statement(
    provenance: Any, kept: str | bool
) -> None:
    assert file_of(provenance=provenance).provenance == kept
