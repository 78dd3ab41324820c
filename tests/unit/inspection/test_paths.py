"""Paths that stay inside, and paths that only seem to."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.inspection import paths
from pinfold.inspection.limits import Budget, Limits
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import Paths, escapes

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


SIGNS = [
    *("a", "B", "z9", "_", "-", "+", "=", ".", "..", "/", "//", "\\", ":", "~", " ", "\n", "\0", "*", "::$DATA"),
    *(
        "con",
        "CON.txt",
        "nul",
        "com1",
        "LPT9",
        "conin$",
        "aux.",
        "prn/",
        "\u017f",
        "\u212a",
        "\u0131",
        "\u202e",
        "\u200b",
        "\uff0e",
    ),
    "x" * 256,
]


def noted(names: list[str]) -> list[object]:
    notes = Notes(Limits())
    found = Paths(notes, Budget(Limits(), 1))
    firsts = [found.add(name, folder=name.endswith("/")) for name in names]
    found.finish()
    return [firsts, notes.observations]


@given(st.lists(st.lists(st.sampled_from(SIGNS), min_size=1, max_size=6).map("".join), min_size=1, max_size=4))
def test_nothing_is_held_against_a_plain_path_that_a_closer_look_would_find(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "_LONGEST_PLAIN", -1)
        closer = noted(names)
    assert noted(names) == closer


@pytest.mark.parametrize(
    "path", ["acme/__init__.py", "acme-1.0.dist-info/METADATA", "a/.hidden", "consoles.py", "C+/=.x"]
)
def test_ordinary_paths_need_no_closer_look(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_peculiarities", None)
    assert noted([path]) == [[True], ()]
