"""Pages in JSON: all that the specifications allow is understood, and everything else is refused by name."""

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.index.json_pages import DROP, WHEEL, entry, page, parse
from tests.unit.index.pages import NAME, SHA

from pinfold.domain.errors import InvalidPage
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.index import parse_json
from pinfold.index.entries import MAX_FILES
from pinfold.index.parse import parse_names_json


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


@pytest.mark.parametrize("broken", [entry(size=-1), entry(filename=5), 7, None, "text", [], {}])
def test_a_malformed_entry_costs_that_entry_and_not_the_page(broken: Any) -> None:
    good = entry(filename="demo_pkg-2.0.tar.gz")
    project = parse(page(entry(filename="demo_pkg-0.9.tar.gz"), broken, good))
    assert [file.version for file in project.files] == ["0.9", "2.0"]
    assert len(project.rejected) == 1


def test_a_malformed_entry_is_told_by_its_name_or_else_by_its_place() -> None:
    project = parse(page(entry(), entry(filename="demo_pkg-2.0\u202e.tar.gz", size=-1), {"url": 3}))
    assert [entry.filename for entry in project.rejected] == ["demo_pkg-2.0 .tar.gz", "files[2]"]


def test_an_absurd_number_of_files_is_not_believed() -> None:
    with pytest.raises(InvalidPage, match="200001 files"):
        parse(b'{"name": "demo-pkg", "files": [' + b"{}," * MAX_FILES + b"{}]}")


def test_an_absurd_number_of_files_takes_no_memory_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_json, "MAX_FILES", 100)
    body = page(*[entry()] * 5_000)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidPage, match="5000 files"):
            parse(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(body)


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
