"""Whatever bytes an upstream sends: a parser raises InvalidPage and nothing else, and what it returns does no harm."""

import json
import re
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.index.pages import BASE, NAME, SHA, page_of, projects

from pinfold.domain.errors import InvalidPage
from pinfold.domain.project import Project
from pinfold.index.parse import parse_names_html, parse_names_json, parse_project_html, parse_project_json
from pinfold.index.render import render_html, render_json

Parse = Callable[..., Project]

pytestmark = pytest.mark.filterwarnings("ignore::pypi_simple.UnexpectedRepoVersionWarning")

both = pytest.mark.parametrize("parse", [parse_project_json, parse_project_html], ids=["json", "html"])
names_of_both = pytest.mark.parametrize("parse", [parse_names_json, parse_names_html], ids=["json", "html"])

_URL = re.compile(r"https?://[^\s@/?\\]+([/?][!-~]*)?")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]{0,254}")

markup = st.lists(
    st.sampled_from(
        [
            *(
                "<a",
                "<base",
                "<meta",
                "</a>",
                ">",
                "/>",
                "<!--",
                "-->",
                "<script>",
                "</script>",
                "<![CDATA[",
                "<!",
                "<?",
            ),
            *(" href=", " name=", " content=", " data-yanked", " data-requires-python=", " data-core-metadata="),
            *(
                '"',
                "'",
                "=",
                "&",
                "&#xD800;",
                "&#0;",
                "&lt",
                "\x00",
                "\n",
                "\ufeff",
                " ",
                "//[",
                "https://",
                "../",
                "x:",
            ),
            *("pypi:repository-version", "pypi:project-status", "pypi:tracks", "1.0", "1.9", "2", "1!1", "\u0661.0"),
            *("demo_pkg-1.0.tar.gz", f"#sha256={SHA}", "demo_pkg-2.0-py3-none-any.whl", "%2e%2e%2f", "%ff", "%00"),
        ]
    ),
    max_size=30,
).map("".join)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from([SHA, "1.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sha256", "name", "status"]), inner),
    max_leaves=6,
)
entries = st.fixed_dictionaries(
    {
        "filename": st.sampled_from(["demo_pkg-1.0.tar.gz", "demo-pkg-2.0.zip", "demo_pkg-1.0-py3-none-any.whl"])
        | values,
        "url": st.sampled_from(["https://files.example/a", "../a"]) | st.text() | values,
        "hashes": st.just({"sha256": SHA}) | values,
    },
    optional={
        "requires-python": values,
        "core-metadata": values,
        "dist-info-metadata": values,
        "yanked": values,
        "size": values,
        "upload-time": st.datetimes().map(str) | values,
        "provenance": values,
    },
)
json_pages = st.fixed_dictionaries(
    {"name": st.just(NAME) | values, "files": st.lists(entries, max_size=5) | values},
    optional={
        "meta": st.fixed_dictionaries({"api-version": st.just("1.1") | values, "tracks": values}) | values,
        "versions": values,
        "project-status": values,
        "alternate-locations": st.lists(st.text()) | values,
    },
)


def try_to(parse: Parse, body: bytes) -> None:
    """Parse a page of the demo project, and check that the result is fit for pages, headers, logs and terminals."""
    try:
        project = parse(body, project=NAME, base_url=BASE)
    except InvalidPage as error:
        assert_harmless(str(error))
        return
    assert len({file.filename for file in project.files}) == len(project.files)
    for file in project.files:
        assert _FILENAME.fullmatch(file.filename)
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert _URL.fullmatch(file.url)
        assert file.size is None or 0 <= file.size < 2**53
        assert file.upload_time is None or file.upload_time.tzinfo is UTC
        assert isinstance(file.core_metadata, bool) or re.fullmatch(r"[0-9a-f]{64}", file.core_metadata)
        assert isinstance(file.provenance, bool) or _URL.fullmatch(file.provenance)
        assert_harmless(file.requires_python, file.yanked)
    for rejected in project.rejected:
        assert rejected.why
        assert_harmless(rejected.filename, rejected.why)
    assert all(_URL.fullmatch(address) for address in (*project.tracks, *project.alternate_locations))
    assert_harmless(project.status.reason, *project.versions)


def assert_harmless(*texts: str | None) -> None:
    for text in texts:
        assert text is None or (text.isprintable() and len(text) <= 1000)


@both
@given(body=st.binary() | st.text().map(str.encode))
def test_any_bytes(parse: Parse, body: bytes) -> None:
    try_to(parse, body)


@given(page=json_pages)
@example(page={"name": NAME, "files": [{"filename": "demo_pkg-1.0.tar.gz", "url": "\ud800", "hashes": {}}]})
def test_json_of_any_types(page: dict[str, Any]) -> None:
    try_to(parse_project_json, json.dumps(page).encode())


@given(text=markup)
@example(text="<base href='http://['><a href=x>")
@example(text="<meta name='pypi:repository-version' content='1!1'>")
def test_html_of_any_shape(text: str) -> None:
    try_to(parse_project_html, text.encode())


@both
@given(data=st.data())
def test_pages_damaged_in_any_place(parse: Parse, data: st.DataObject) -> None:
    render = render_json if parse is parse_project_json else render_html
    body = render(page_of(data.draw(projects())))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(start + 20, len(body))))
    try_to(parse, body[:start] + data.draw(st.binary(max_size=6)) + body[end:])


@both
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b"<div>", b"<a href=x>", b'{"files":['])
def test_deep_nesting(parse: Parse, opening: bytes) -> None:
    try_to(parse, opening * 20_000)


@names_of_both
@given(body=st.binary() | st.text().map(str.encode) | markup.map(str.encode) | values.map(json.dumps).map(str.encode))
@example(body=b'{"projects": [{"name": "\xff"}]}')
@example(body=b"[" * 100_000)
def test_names_of_any_bytes(parse: Callable[[bytes], list[str]], body: bytes) -> None:
    try:
        names = parse(body)
    except InvalidPage:
        return
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
