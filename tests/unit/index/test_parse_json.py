"""Pages in JSON: everything that the specifications allow is understood, and everything else is refused by name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.index.pages import BASE, NAME, SHA

from pinfold.domain.errors import InvalidPage
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, RejectedEntry, StatusMarker, UpstreamStatus
from pinfold.index.entries import MAX_FILES
from pinfold.index.parse import parse_names_json, parse_project_json

WHEEL = "demo_pkg-1.0-py3-none-any.whl"
DROP = object()


def entry(**changes: Any) -> dict[str, Any]:
    """Return the smallest valid file entry, with keys changed, added or dropped; `_` stands for `-`."""
    smallest = {"filename": WHEEL, "url": f"https://files.example/{WHEEL}", "hashes": {"sha256": SHA}}
    changed = smallest | {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in changed.items() if value is not DROP}


def page(*entries: Any, **changes: Any) -> bytes:
    smallest = {"meta": {"api-version": "1.0"}, "name": NAME, "files": list(entries)}
    changed = smallest | {key.replace("_", "-"): value for key, value in changes.items()}
    return json.dumps({key: value for key, value in changed.items() if value is not DROP}).encode()


def parse(body: bytes) -> Project:
    return parse_project_json(body, project=NAME, base_url=BASE)


def file_of(**changes: Any) -> File:
    project = parse(page(entry(**changes)))
    assert project.rejected == ()
    return project.files[0]


def why_rejected(**changes: Any) -> str:
    project = parse(page(entry(**changes)))
    assert project.files == ()
    return project.rejected[0].why


def test_a_full_page() -> None:
    body = b"""{
      "meta": {"api-version": "1.4", "_last-serial": 7, "tracks": ["https://upstream.example/simple/demo-pkg/"]},
      "name": "Demo.Pkg",
      "project-status": {"status": "archived", "reason": "moved to another home"},
      "versions": ["0.9", "1.0", "2.0"],
      "alternate-locations": ["https://other.example/simple/demo-pkg/"],
      "files": [
        {
          "filename": "demo_pkg-1.0-py3-none-any.whl",
          "url": "https://files.example/ab/demo_pkg-1.0-py3-none-any.whl",
          "hashes": {"sha256": "%(sha)s", "blake2b_256": "00"},
          "requires-python": ">=3.9",
          "size": 1234,
          "upload-time": "2024-03-01T10:20:30.456789Z",
          "yanked": "Had a vulnerability",
          "gpg-sig": false,
          "core-metadata": {"sha256": "%(metadata)s"},
          "provenance": "https://index.example/integrity/demo-pkg/1.0/demo_pkg-1.0-py3-none-any.whl/provenance"
        },
        {
          "filename": "demo_pkg-1.0.tar.gz",
          "url": "../../files/demo_pkg-1.0.tar.gz",
          "hashes": {"sha256": "%(sha)s"},
          "requires-python": null,
          "provenance": null
        }
      ]
    }""" % {b"sha": SHA.encode(), b"metadata": b"cd" * 32}
    assert parse(body) == Project(
        name=NAME,
        files=(
            File(
                filename=WHEEL,
                url=f"https://files.example/ab/{WHEEL}",
                sha256=SHA,
                kind=FileKind.WHEEL,
                version="1.0",
                size=1234,
                upload_time=datetime(2024, 3, 1, 10, 20, 30, 456789, UTC),
                requires_python=">=3.9",
                yanked="Had a vulnerability",
                core_metadata="cd" * 32,
                provenance=f"https://index.example/integrity/demo-pkg/1.0/{WHEEL}/provenance",
            ),
            File(
                filename="demo_pkg-1.0.tar.gz",
                url="https://index.example/files/demo_pkg-1.0.tar.gz",
                sha256=SHA,
                kind=FileKind.SDIST,
                version="1.0",
                provenance=True,
            ),
        ),
        versions=("0.9", "1.0", "2.0"),
        status=UpstreamStatus(StatusMarker.ARCHIVED, "moved to another home"),
        tracks=("https://upstream.example/simple/demo-pkg/",),
        alternate_locations=("https://other.example/simple/demo-pkg/",),
    )


def test_a_page_from_before_every_later_specification() -> None:
    project = parse(page(entry(), meta=DROP))
    assert project.files == (
        File(filename=WHEEL, url=f"https://files.example/{WHEEL}", sha256=SHA, kind=FileKind.WHEEL, version="1.0"),
    )
    assert project.versions == ("1.0",)
    assert project.status == UpstreamStatus(StatusMarker.ACTIVE)


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
    ("body", "says"),
    [
        (b"", "not an index page in JSON"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"name": "demo-pkg"}', "missing required field `files`"),
        (b'{"files": []}', "missing required field `name`"),
        (b"<!DOCTYPE html>", "malformed"),
        (b'{"name": "demo-pkg", "files": []} trailing', "trailing"),
        (b'{"name": "demo-pkg\xff", "files": []}', "not an index page"),
        (b'{"name": "demo-pkg", "files": [nul]}', "malformed"),
        (page("\ud800"), "not an index page in JSON"),
        (page(name="demo"), "that of 'demo', not of 'demo-pkg'"),
        (page(name="../demo-pkg"), "not of 'demo-pkg'"),
        (page(name=7), "Expected `str`, got `int`"),
        (page(files={}), "Expected `array`, got `object`"),
        (page(versions="1.0"), "$.versions"),
        (page(meta=[]), "$.meta"),
        (page(meta={"api-version": "2.0"}), "API version '2.0'; only 1.x"),
        (page(meta={"api-version": "0.9"}), "only 1.x"),
        (page(meta={"api-version": "10.0"}), "only 1.x"),
        (page(meta={"api-version": 1.0}), "Expected `str`, got `float`"),
        (page(project_status="quarantined"), "$.project-status"),
        (page(project_status={"status": 3}), "$.project-status.status"),
        pytest.param(b'{"name": "", "files": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}", "recursion", id="arrays"),
        pytest.param(b'{"x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "recursion", id="objects"),
        pytest.param(b"[" * 100_000, "not an index page", id="unclosed arrays"),
    ],
)
def test_what_is_no_page_of_the_project_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(InvalidPage) as caught:
        parse(body)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_later_minor_versions_and_unknown_keys_are_welcome() -> None:
    project = parse(page(entry(news={"a": [1]}), meta={"api-version": "1.99", "more": {}}, something=[None]))
    assert [file.filename for file in project.files] == [WHEEL]


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


@pytest.mark.parametrize("broken", [entry(size=-1), entry(filename=5), 7, None, "text", [], {}])
def test_a_malformed_entry_costs_that_entry_and_not_the_page(broken: Any) -> None:
    good = entry(filename="demo_pkg-2.0.tar.gz")
    project = parse(page(entry(filename="demo_pkg-0.9.tar.gz"), broken, good))
    assert [file.version for file in project.files] == ["0.9", "2.0"]
    assert len(project.rejected) == 1


def test_a_malformed_entry_is_told_by_its_name_or_else_by_its_place() -> None:
    project = parse(page(entry(), entry(filename="demo_pkg-2.0\u202e.tar.gz", size=-1), {"url": 3}))
    assert [entry.filename for entry in project.rejected] == ["demo_pkg-2.0 .tar.gz", "files[2]"]


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


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (DROP, UpstreamStatus(StatusMarker.ACTIVE)),
        (None, UpstreamStatus(StatusMarker.ACTIVE)),
        ({}, UpstreamStatus(StatusMarker.ACTIVE)),
        ({"status": "active"}, UpstreamStatus(StatusMarker.ACTIVE)),
        ({"status": "deprecated", "reason": ""}, UpstreamStatus(StatusMarker.DEPRECATED)),
        ({"status": "quarantined", "reason": "a\nb"}, UpstreamStatus(StatusMarker.QUARANTINED, "a b")),
    ],
)
def test_project_status(given: Any, status: UpstreamStatus) -> None:
    assert parse(page(project_status=given)).status == status


@pytest.mark.parametrize("marker", ["compromised", "Quarantined", "quarantined ", "", "unrecognised"])
def test_an_unknown_status_is_never_taken_for_active(marker: str) -> None:
    status = parse(page(project_status={"status": marker, "reason": "why"})).status
    assert status == UpstreamStatus(StatusMarker.UNRECOGNISED, f"{marker}: why")


def test_versions_come_from_the_page_and_else_from_the_files_in_their_order() -> None:
    names = ["demo_pkg-1.10.tar.gz", "demo_pkg-1.9.tar.gz", "demo_pkg-1.9.0.tar.gz", "demo_pkg-1.9rc1.tar.gz"]
    files = [entry(filename=name) for name in names]
    assert parse(page(*files)).versions == ("1.9rc1", "1.9", "1.9.0", "1.10")
    assert parse(page(*files, versions=[])).versions == ("1.9rc1", "1.9", "1.9.0", "1.10")
    assert parse(page(*files, versions=["2", "1", "2", "1\n", "", "9" * 500, "2004d"])).versions == ("2", "1", "2004d")


def test_other_indexes_that_cannot_be_addresses_are_left_out() -> None:
    project = parse(
        page(meta={"tracks": ["ftp://a.example/", "https://a.example/"]}, alternate_locations=["x:y", "/b/"])
    )
    assert project.tracks == ("https://a.example/",)
    assert project.alternate_locations == ("https://index.example/b/",)


def test_an_absurd_number_of_files_is_not_believed() -> None:
    with pytest.raises(InvalidPage, match="200001 files"):
        parse(b'{"name": "demo-pkg", "files": [' + b"{}," * MAX_FILES + b"{}]}")


def test_names_are_normalised_and_invalid_ones_dropped() -> None:
    projects = [
        {"name": name} for name in ["Foo.Bar", "foo_bar", "zope.interface", "../etc", "", "a b", "x" * 300, "q"]
    ]
    assert parse_names_json(json.dumps({"projects": projects}).encode()) == ["foo-bar", "zope-interface", "q"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"projects": {}}',
        b'{"projects": ["a"]}',
        b'{"projects": [], "meta": {"api-version": "2.0"}}',
    ],
)
def test_what_is_no_list_of_names_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidPage):
        parse_names_json(body)
