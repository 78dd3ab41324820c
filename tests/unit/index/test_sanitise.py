"""Relative addresses mean what urljoin makes of them, however they are put together."""

from urllib.parse import urljoin

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pinfold.index.sanitise import MAX_URL, web_address

BASES = (
    *("https://index.example/simple/acme/", "https://index.example/simple/acme", "https://index.example"),
    *(
        "https://index.example/simple/acme/?format=json",
        "http://[::1]:8080/a//b/./c/../d;p/",
        "https://index.example/?a/b/",
    ),
)
SEGMENTS = (
    "..",
    ".",
    "",
    "packages",
    "a.b",
    ".hidden",
    "x;y",
    "%2e%2e",
    "a:b",
    "~",
    "-",
    "w-1.0+local-py3-none-any.whl",
)

references = st.builds(
    lambda up, segments, end: "../" * up + "/".join(segments) + end,
    st.integers(0, 20),
    st.lists(st.sampled_from(SEGMENTS), max_size=5),
    st.sampled_from(["", "#sha256=abc", "?x=../y", "?q#f", "/"]),
)


@given(st.sampled_from(BASES), references)
@example(BASES[0], "../../packages/ab/w-1.0.whl#sha256=abc")
def test_a_relative_address_is_joined_as_urljoin_does(base: str, reference: str) -> None:
    joined = urljoin(base, reference)
    meant = web_address(joined, base) if reference and joined.startswith("http") else None
    assert web_address(reference, base) == meant


@pytest.mark.parametrize("reference", ["../" * 2_000_000, "../" * 10 + "a/" * 1_000_000, "a" * MAX_URL])
def test_what_is_too_long_is_no_address(reference: str) -> None:
    assert web_address(reference, BASES[0]) in (None, "https://index.example/")
