"""Paths that stay inside, and paths that only seem to."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.inspection.paths import escapes

INSIDE = ["acme/x.py", "acme/..x/y", "a..b", "...", "acme/.hidden", "acme/a:b", "äöü/ß", "acme/", "1:2"]
OUTSIDE = [
    *("..", "../x", "a/../../x", "/x", "//host/x", "\\x", "..\\x", "a\\..\\..\\x", "C:x", "c:/x", "c:\\x"),
    *(
        "\uff0e\uff0e/x",
        "\u2025/x",
        "a/\u2024\u2024/x",
        "\uff0fx",
        "..\uff0fx",
        "\uff23\uff1a/x",
        ".\u200b./x",
        "\ufeff/x",
    ),
]


@pytest.mark.parametrize("path", INSIDE)
def test_a_path_inside_does_not_escape(path: str) -> None:
    assert not escapes(path)


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_outside_escapes(path: str) -> None:
    assert escapes(path)


@given(st.lists(st.sampled_from(["..", ".", "a", "b", "", "c\u0301", "\uff0e\uff0e"]), max_size=8).map("/".join))
def test_what_does_not_escape_stays_below_the_folder(path: str) -> None:
    if not escapes(path):
        assert posixpath.normpath(posixpath.join("/folder", path)).startswith("/folder")
