"""What clients get: the fields of the specifications, and nothing that a stranger's text could turn into more."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.unit.index.pages import NAME, SHA, page_of, projects

from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.index.page import ListedFile, ListedProject
from pinfold.index.render import render_html, render_json, render_names_html, render_names_json

WHEEL = "demo_pkg-1.0-py3-none-any.whl"
BARE = File(filename=WHEEL, url=f"https://files.example/{WHEEL}", sha256=SHA, kind=FileKind.WHEEL, version="1.0")

FULL = ListedProject(
    name=NAME,
    files=(
        ListedFile(
            file=structs.replace(
                BARE, size=12, upload_time=datetime(2024, 3, 1, 10, 20, 30, 450000, UTC), requires_python=">=3.9"
            ),
            url=f"../../files/{NAME}/{SHA}/{WHEEL}",
            yanked="pinfold: denied by known-malware: MAL-1; ref D-7QK2M",
            core_metadata="cd" * 32,
            provenance="https://index.example/p",
        ),
        ListedFile(
            file=structs.replace(BARE, filename="demo_pkg-1.0.tar.gz"), url="../demo_pkg-1.0.tar.gz", provenance=True
        ),
    ),
    versions=("1.0", "1.1"),
    status=UpstreamStatus(StatusMarker.ARCHIVED, "moved"),
    tracks=("https://upstream.example/",),
    alternate_locations=("https://other.example/",),
)

XSS = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</a><a href='javascript:alert(1)'>",
    "--><script>alert(1)</script><!--",
    "{links}{0}%s",
    "&lt;script&gt;",
    "` onmouseover=alert(1) x=`",
    "\u2028\u0000\x1b[2J",
]


class Seen(HTMLParser):
    """The tags of a page with their attributes, and its texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def links(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "a"]


def test_a_full_page_in_json() -> None:
    assert json.loads(render_json(FULL)) == {
        "meta": {"api-version": "1.4", "tracks": ["https://upstream.example/"]},
        "name": "demo-pkg",
        "project-status": {"status": "archived", "reason": "moved"},
        "versions": ["1.0", "1.1"],
        "alternate-locations": ["https://other.example/"],
        "files": [
            {
                "filename": WHEEL,
                "url": f"../../files/demo-pkg/{SHA}/{WHEEL}",
                "hashes": {"sha256": SHA},
                "core-metadata": {"sha256": "cd" * 32},
                "yanked": "pinfold: denied by known-malware: MAL-1; ref D-7QK2M",
                "requires-python": ">=3.9",
                "size": 12,
                "upload-time": "2024-03-01T10:20:30.450000Z",
                "provenance": "https://index.example/p",
            },
            {
                "filename": "demo_pkg-1.0.tar.gz",
                "url": "../demo_pkg-1.0.tar.gz",
                "hashes": {"sha256": SHA},
                "core-metadata": False,
                "yanked": False,
                "provenance": None,
            },
        ],
    }


def test_a_full_page_in_html() -> None:
    assert render_html(FULL).decode() == (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "<head>\n"
        '<meta charset="utf-8">\n'
        '<meta name="pypi:repository-version" content="1.4">\n'
        '<meta name="pypi:project-status" content="archived">\n'
        '<meta name="pypi:project-status-reason" content="moved">\n'
        '<meta name="pypi:tracks" content="https://upstream.example/">\n'
        '<meta name="pypi:alternate-locations" content="https://other.example/">\n'
        "<title>Links for demo-pkg</title>\n"
        "</head>\n"
        "<body>\n"
        "<h1>Links for demo-pkg</h1>\n"
        f'<a href="../../files/demo-pkg/{SHA}/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.9"'
        f' data-core-metadata="sha256={"cd" * 32}" data-dist-info-metadata="sha256={"cd" * 32}"'
        ' data-yanked="pinfold: denied by known-malware: MAL-1; ref D-7QK2M"'
        f' data-provenance="https://index.example/p">{WHEEL}</a><br>\n'
        f'<a href="../demo_pkg-1.0.tar.gz#sha256={SHA}">demo_pkg-1.0.tar.gz</a><br>\n'
        "</body>\n"
        "</html>\n"
    )


def listed(**changes: Any) -> ListedProject:
    return ListedProject(NAME, (ListedFile(BARE, WHEEL, **changes),))


@pytest.mark.parametrize(
    ("changes", "in_json", "in_html"),
    [
        ({}, {"yanked": False}, {}),
        ({"yanked": ""}, {"yanked": True}, {"data-yanked": ""}),
        ({"yanked": "why"}, {"yanked": "why"}, {"data-yanked": "why"}),
        (
            {"core_metadata": True},
            {"core-metadata": True},
            {"data-core-metadata": "true", "data-dist-info-metadata": "true"},
        ),
        ({"provenance": True}, {"provenance": None}, {}),
    ],
)
def test_each_attribute_in_both_representations(
    changes: dict[str, Any], in_json: dict[str, Any], in_html: dict[str, str]
) -> None:
    page = listed(**changes)
    smallest = {"filename": WHEEL, "url": WHEEL, "hashes": {"sha256": SHA}, "core-metadata": False, "yanked": False}
    assert json.loads(render_json(page))["files"] == [smallest | in_json]
    assert Seen(render_html(page)).links() == [{"href": f"{WHEEL}#sha256={SHA}"} | in_html]


def test_json_never_has_the_metadata_key_that_old_versions_of_pip_fail_on() -> None:
    assert b"dist-info-metadata" not in render_json(FULL)


def test_an_unrecognised_status_is_not_passed_on() -> None:
    page = replace(FULL, status=UpstreamStatus(StatusMarker.UNRECOGNISED, "frozen"))
    assert "project-status" not in json.loads(render_json(page))
    assert b"project-status" not in render_html(page)


def test_an_empty_project_and_an_empty_index_are_pages_all_the_same() -> None:
    assert json.loads(render_json(ListedProject(NAME)))["files"] == []
    assert Seen(render_html(ListedProject(NAME))).links() == []
    assert json.loads(render_names_json([])) == {"meta": {"api-version": "1.4"}, "projects": []}
    assert Seen(render_names_html([])).links() == []


def test_lists_of_projects() -> None:
    assert json.loads(render_names_json(iter(["a", "b-c"])))["projects"] == [{"name": "a"}, {"name": "b-c"}]
    assert Seen(render_names_html(iter(["a", "b-c"]))).links() == [{"href": "a/"}, {"href": "b-c/"}]


def laced(text: str) -> ListedProject:
    """Return a page with a text in every place that a page has."""
    file = structs.replace(BARE, filename=text, sha256=text, requires_python=text, version=text)
    return ListedProject(
        name=text,
        files=(ListedFile(file, url=text, yanked=text, core_metadata=text, provenance=text),),
        versions=(text,),
        status=UpstreamStatus(StatusMarker.DEPRECATED, text),
        tracks=(text,),
        alternate_locations=(text,),
    )


def assert_inert(page: bytes) -> None:
    seen = Seen(page)
    assert {tag for tag, _ in seen.tags} <= {"html", "head", "meta", "title", "body", "h1", "a", "br"}
    allowed = {"lang", "charset", "name", "content", "href"}
    assert all(key in allowed or key.startswith("data-") for _, attributes in seen.tags for key in attributes)


@pytest.mark.parametrize("text", XSS)
def test_a_strangers_text_stays_text_wherever_it_stands(text: str) -> None:
    page = render_html(laced(text))
    assert_inert(page)
    assert_inert(render_names_html([text]))
    data = json.loads(render_json(laced(text)))
    assert data["files"][0]["yanked"] == data["files"][0]["requires-python"] == data["name"] == text


@pytest.mark.parametrize("text", [text for text in XSS if "\0" not in text])
def test_a_strangers_text_is_shown_as_it_is(text: str) -> None:
    seen = Seen(render_html(laced(text)))
    (link,) = seen.links()
    assert link["data-yanked"] == link["data-requires-python"] == link["data-provenance"] == text
    assert link["href"] == f"{text}#sha256={text}"
    assert f"Links for {text}" in seen.texts
    assert text in seen.texts


@given(text=st.text())
def test_no_text_at_all_becomes_markup(text: str) -> None:
    assert_inert(render_html(laced(text)))
    assert_inert(render_names_html([text]))


@given(project=projects())
def test_json_lists_what_html_lists(project: Project) -> None:
    page = page_of(project)
    files = json.loads(render_json(page))["files"]
    links = Seen(render_html(page)).links()
    assert [f"{file['url']}#sha256={file['hashes']['sha256']}" for file in files] == [link["href"] for link in links]
    assert [file["yanked"] is not False for file in files] == ["data-yanked" in link for link in links]
