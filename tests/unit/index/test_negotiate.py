"""Which representation and coding a client gets, by RFC 9110, PEP 691 and what real clients send."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.index.negotiate import MAX_ELEMENTS, Encoding, Representation, choose, choose_encoding

JSON, HTML, LEGACY = Representation.JSON, Representation.HTML, Representation.LEGACY_HTML
V1_JSON, V1_HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
LATEST_JSON = "application/vnd.pypi.simple.latest+json"


def test_the_values_are_what_the_headers_say() -> None:
    assert {*Representation} == {V1_JSON, V1_HTML, "text/html"}
    assert {*Encoding} == {"identity", "gzip", "zstd"}


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param(f"{V1_JSON}, {V1_HTML}; q=0.1, text/html; q=0.01", JSON, id="pip"),
        pytest.param(f"{V1_JSON}, {V1_HTML};q=0.2, text/html;q=0.01", JSON, id="uv"),
        pytest.param("text/html", LEGACY, id="pip before 22.2"),
        pytest.param("*/*", LEGACY, id="curl"),
        pytest.param(None, LEGACY, id="no header"),
        pytest.param("", LEGACY, id="an empty header"),
        pytest.param(" \t", LEGACY, id="a blank header"),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,"
            "application/signed-exchange;v=b3;q=0.7",
            LEGACY,
            id="a browser",
        ),
        pytest.param(f"{V1_JSON}, {V1_HTML}, text/html;q=0.01", JSON, id="pypi-simple"),
        pytest.param("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", LEGACY, id="Java"),
    ],
)
def test_what_clients_send(accept: str | None, chosen: Representation) -> None:
    assert choose(accept) is chosen


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (V1_JSON, JSON),
        (V1_HTML, HTML),
        (LATEST_JSON, JSON),
        ("application/vnd.pypi.simple.latest+html", HTML),
        ("application/vnd.pypi.simple.v2+json", None),
        ("application/json", None),
        ("image/png", None),
        # The highest quality wins, in whatever order.
        (f"{V1_JSON};q=0.1, {V1_HTML};q=0.2", HTML),
        (f"text/html;q=0.3, {V1_JSON};q=0.31", JSON),
        ("*/*;q=0.001", LEGACY),
        # The most specific range tells a type's quality.
        (f"*/*, text/html;q=0, {V1_HTML};q=0", JSON),
        (f"text/*;q=0, application/*, {V1_HTML};q=0.5", JSON),
        (f"application/*;q=0.9, {V1_JSON};q=0.1", HTML),
        ("*/*, text/*;q=0.5", HTML),
        ("*/*;q=0.5, text/*", LEGACY),
        # Among equals, named types come first, JSON before HTML; otherwise text/html, as at PyPI.
        (f"{V1_HTML}, {V1_JSON}", JSON),
        (f"text/html, {V1_HTML}", HTML),
        (f"*/*, {V1_JSON}", JSON),
        ("application/json, */*", LEGACY),
        ("application/*", HTML),
        ("text/*", LEGACY),
        ("text/*, application/*", LEGACY),
        # Quality 0 means never.
        (f"{V1_JSON};q=0", None),
        ("*/*;q=0", None),
        (f"{V1_JSON};q=0, text/html", LEGACY),
        (f"{V1_JSON};q=0, */*", LEGACY),
        (f"{V1_JSON};q=0.0, {V1_HTML};q=0.000, text/html;q=0., */*", None),
        # Two names of one type count together.
        (f"{V1_JSON};q=0.1, application/vnd.pypi.simple.latest+json;q=0.9, text/html;q=0.5", JSON),
        (f"{V1_JSON};q=0.9, {LATEST_JSON};q=0.1, text/html;q=0.5", JSON),
        # Letter case, blanks and the charset do not matter; other parameters ask for something else.
        (f" {V1_JSON.upper()} ; Q = 0.5 , text/HTML;q=0.4", JSON),
        ("text/html;charset=utf-8", LEGACY),
        ("text/html;charset=utf-8;q=0.1, " + V1_JSON + ";q=0.2", JSON),
        ("text/html;level=1", None),
        (f"{V1_JSON};", JSON),
        # Malformed elements count for nothing.
        (f"{V1_JSON};q=2, text/html;q=0.1", LEGACY),
        (f"{V1_JSON};q=-1", None),
        (f"{V1_JSON};q=nan", None),
        (f"{V1_JSON};q=1e0", None),
        (f"{V1_JSON};q=0.1234", None),
        (f"{V1_JSON};q=", None),
        (f"{V1_JSON};q", None),
        (f"{V1_JSON};q=\u0661", None),
        (",,;;q=1,=,text/html,\x00", LEGACY),
        ("garbage", None),
        ("text/html\r\nX: y", None),
        ("a/b," * (MAX_ELEMENTS - 1) + "text/html", LEGACY),
        ("a/b," * MAX_ELEMENTS + "text/html", None),
        ("*/html", None),
        ("*", None),
    ],
)
def test_accept(accept: str, chosen: Representation | None) -> None:
    assert choose(accept) is chosen


@pytest.mark.parametrize(
    ("accept_encoding", "chosen"),
    [
        (None, Encoding.IDENTITY),
        ("", Encoding.IDENTITY),
        ("gzip, deflate", Encoding.GZIP),
        ("gzip, deflate, br, zstd", Encoding.ZSTD),
        ("zstd;q=0.5, gzip", Encoding.GZIP),
        ("zstd;q=0, gzip;q=0.1", Encoding.GZIP),
        ("zstd, gzip;q=0.9", Encoding.ZSTD),
        ("ZSTD", Encoding.ZSTD),
        ("*", Encoding.GZIP),
        ("*;q=0.1", Encoding.GZIP),
        ("gzip;q=0, *", Encoding.IDENTITY),
        ("br, deflate", Encoding.IDENTITY),
        ("identity", Encoding.IDENTITY),
        ("identity, gzip", Encoding.GZIP),
        ("identity, gzip;q=0.5", Encoding.IDENTITY),
        ("gzip;q=0.001", Encoding.GZIP),
        ("gzip;q=0", Encoding.IDENTITY),
        ("identity;q=0", Encoding.GZIP),
        ("identity;q=0, gzip;q=0", Encoding.IDENTITY),
        ("*;q=0", Encoding.IDENTITY),
        ("identity;q=0, zstd;q=0.1", Encoding.ZSTD),
        ("gzip;q=5, garbage;;;, \x00", Encoding.IDENTITY),
    ],
)
def test_accept_encoding(accept_encoding: str | None, chosen: Encoding) -> None:
    assert choose_encoding(accept_encoding) is chosen


qualities = st.sampled_from(["", ";q=0", ";q=0.001", ";q=0.5", ";q=1", "; q=1.000", ";q=2", ";x=y"])
ranges = st.sampled_from([*Representation, LATEST_JSON, "*/*", "text/*", "application/*", "a/b"])
elements = st.builds(str.__add__, ranges, qualities)


@given(header=st.text() | st.lists(elements).map(",".join))
def test_no_header_is_too_odd(header: str) -> None:
    assert choose(header) in {None, *Representation}
    assert choose_encoding(header) in {*Encoding}


@given(listed=st.lists(elements, max_size=6), data=st.data())
def test_the_order_of_a_header_does_not_matter(listed: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(listed))
    assert choose(",".join(shuffled)) is choose(",".join(listed))


@given(listed=st.lists(elements, min_size=1, max_size=6), representation=st.sampled_from(Representation))
def test_what_is_refused_by_name_is_never_chosen(listed: list[str], representation: Representation) -> None:
    names = {JSON: {V1_JSON, LATEST_JSON}}.get(representation, {representation.value})
    others = [element for element in listed if element.split(";")[0] not in names]
    assert choose(",".join([*others, f"{representation};q=0"])) is not representation


@given(representation=st.sampled_from(Representation), quality=st.integers(1, 1000))
def test_what_alone_is_asked_for_is_what_comes(representation: Representation, quality: int) -> None:
    assert choose(f"{representation};q={quality / 1000:.3f}") is representation


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("a/b," * 500_000, id="elements"),
        pytest.param("a/b;" * 500_000, id="parameters"),
        pytest.param("q=" * 1_000_000, id="one word"),
        pytest.param("text/html;q=0." + "0" * 1_000_000, id="digits"),
    ],
)
def test_a_very_long_header_costs_little(header: str) -> None:
    started = time.process_time()
    assert choose(header) is None
    assert choose_encoding(header) is Encoding.IDENTITY
    assert time.process_time() - started < 5
