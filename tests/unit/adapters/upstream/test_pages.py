import gzip
import zlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from pinfold.adapters.upstream.pages import conditions, max_age, understand, validators
from pinfold.adapters.upstream.transport import Answer
from pinfold.domain.errors import InvalidPage, UpstreamError
from pinfold.ports.upstream import Validators

JSON = "application/vnd.pypi.simple.v1+json"


def answer(body: bytes = b"", *headers: tuple[str, str]) -> Answer:
    return Answer(
        "pypi: https://index.example/simple/x/",
        URL("https://index.example/simple/x/"),
        200,
        CIMultiDictProxy(CIMultiDict([("Content-Length", str(len(body))), *headers])),
        body,
    )


def understood(page: Answer, limit: int = 1000) -> tuple[str, bytes]:
    return understand(page, limit, json=lambda body: ("json", body), html=lambda body: ("html", body))


@pytest.mark.parametrize(
    ("content_type", "parser"),
    [
        (JSON, "json"),
        (f"{JSON}; charset=utf-8", "json"),
        ("Application/JSON", "json"),
        ("application/vnd.pypi.simple.v1+html", "html"),
        ("text/html;charset=utf-8", "html"),
    ],
)
def test_the_content_type_tells_how_to_read_a_page(content_type: str, parser: str) -> None:
    assert understood(answer(b"body", ("Content-Type", content_type))) == (parser, b"body")


@pytest.mark.parametrize(
    "content_type", ["application/octet-stream", "text/plain", "application/vnd.pypi.simple.v2+json", "x\ty"]
)
def test_other_content_types_are_no_pages(content_type: str) -> None:
    with pytest.raises(UpstreamError, match="not a simple page"):
        understood(answer(b"body", ("Content-Type", content_type)))


def test_a_page_without_content_type_is_none() -> None:
    with pytest.raises(UpstreamError, match="sent '', which is not a simple page"):
        understood(answer(b"body"))


def test_what_a_parser_cannot_read_is_the_upstreams_failure() -> None:
    def parse(body: bytes) -> None:
        raise InvalidPage("no JSON")

    with pytest.raises(UpstreamError, match=r"^pypi: https://index\.example/simple/x/: .*no JSON"):
        understand(answer(b"<html>", ("Content-Type", JSON)), 1000, json=parse, html=parse)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_gzip_is_unpacked_whatever_its_number_of_members(one: bytes, two: bytes) -> None:
    packed = gzip.compress(one) + gzip.compress(two)
    page = answer(packed, ("Content-Type", JSON), ("Content-Encoding", "gzip"))
    assert understood(page) == ("json", one + two)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_truncated_gzip_is_refused(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    packed = packed[: data.draw(st.integers(1, len(packed) - 1))]
    with pytest.raises(UpstreamError, match="gzip"):
        understood(answer(packed, ("Content-Type", JSON), ("Content-Encoding", "gzip")))


@given(st.binary(min_size=1, max_size=100))
def test_what_is_no_gzip_is_refused_or_unpacked(content: bytes) -> None:
    try:
        expected = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        with pytest.raises(UpstreamError, match="gzip"):
            understood(answer(content, ("Content-Type", JSON), ("Content-Encoding", "gzip")))
    else:
        assert understood(answer(content, ("Content-Type", JSON), ("Content-Encoding", "x-gzip")))[1] == expected


@pytest.mark.parametrize("members", [1, 50])
def test_a_page_that_unpacks_to_too_much_is_refused(members: int) -> None:
    bomb = gzip.compress(bytes(100_000)) * members
    with pytest.raises(UpstreamError, match="more than 1000 bytes"):
        understood(answer(bomb, ("Content-Type", JSON), ("Content-Encoding", "gzip")))


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x"])
def test_other_encodings_than_were_asked_for_are_refused(encoding: str) -> None:
    with pytest.raises(UpstreamError, match="content encoding"):
        understood(answer(b"", ("Content-Type", JSON), ("Content-Encoding", encoding)))


def unframed(body: bytes, content_type: str) -> Answer:
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": content_type}))
    return Answer("pypi: x", URL("https://index.example/"), 200, headers, body)


def test_html_whose_end_may_be_lost_is_refused() -> None:
    assert understood(unframed(b"<html></html>\n", "text/html"))[0] == "html"
    assert understood(unframed(b"<HTML></HTML>", "text/html"))[0] == "html"
    with pytest.raises(UpstreamError, match="truncated"):
        understood(unframed(b"<html><a href=x>", "text/html"))


def test_json_shows_its_own_end() -> None:
    assert understood(unframed(b"{}", JSON))[0] == "json"


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([], None),
        (["public"], None),
        (["max-age=600, public"], 600),
        (["public,Max-Age = 600"], 600),
        (['max-age="600"'], 600),
        (["max-age=0"], 0),
        (["public", "max-age=60"], 60),
        (["max-age=600, no-cache"], 0),
        (["no-store"], 0),
        (["No-Store, max-age=600"], 0),
        (["max-age=-1"], None),
        (["max-age=soon"], None),
        (["max-age=" + "9" * 500], 99_999_999),
    ],
)
def test_cache_control_tells_how_long_a_page_is_fresh(values: list[str], seconds: int | None) -> None:
    found = max_age(answer(b"", *[("Cache-Control", value) for value in values]))
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_validators_come_back_as_conditions() -> None:
    given_back = validators(answer(b"", ("ETag", 'W/"x"'), ("Last-Modified", "Tue, 24 Mar 2026 10:39:00 GMT")))
    assert given_back == Validators('W/"x"', "Tue, 24 Mar 2026 10:39:00 GMT")
    assert conditions(given_back) == {
        "If-None-Match": 'W/"x"',
        "If-Modified-Since": "Tue, 24 Mar 2026 10:39:00 GMT",
    }
    assert conditions(Validators()) == conditions(None) == {}


@pytest.mark.parametrize("value", ["", '"ü"', '"\udcff"', '"\x7f"', '"' + "x" * 500 + '"'])
def test_validators_that_could_not_be_sent_back_count_as_none(value: str) -> None:
    assert validators(answer(b"", ("ETag", value), ("Last-Modified", value))) == Validators()
