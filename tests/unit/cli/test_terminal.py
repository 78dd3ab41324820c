"""What is printed cannot steer a terminal."""

import io
import json
import logging
import unicodedata
from contextlib import redirect_stdout

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.cli.terminal import Painted, PrintableLog, printable, say, say_json, table

HOSTILE = st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Lu", "Zs"]))


def printed(*lines: object) -> str:
    with redirect_stdout(io.StringIO()) as stdout:
        say(*lines)  # type: ignore[arg-type]
    return stdout.getvalue()


@given(HOSTILE)
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    for line in (text, Painted(text, "red"), [text, Painted(text)], *table([text], [[text]])):
        shown = click.unstyle(printed(line)).removesuffix("\n")
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 !", "plain é 漢 !"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("\x9b31m", r"\x9b31m"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("\ud800", r"\ud800"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
    ],
)
def test_what_could_steer_is_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printed(text) == f"{shown}\n"


def test_columns_are_aligned_by_what_is_shown() -> None:
    shown = printed(*table(["ID", "WHAT", "WHY"], [["1", Painted("\x1b", "red"), "x"], ["22", "longer", "y"]]))
    assert click.unstyle(shown).splitlines() == [
        "ID  WHAT    WHY",
        r"1   \x1b    x",
        "22  longer  y",
    ]


@given(HOSTILE)
def test_a_logged_line_is_printable_too(text: str) -> None:
    record = logging.LogRecord("pinfold", logging.WARNING, __file__, 1, "stale page: %s", (text,), None)
    assert PrintableLog("%(levelname)s: %(message)s").format(record).isprintable()


@given(HOSTILE)
def test_json_is_ascii_and_says_the_same(text: str) -> None:
    with redirect_stdout(io.StringIO()) as stdout:
        say_json({"text": text})
    assert stdout.getvalue().replace("\n", "").isprintable()
    assert stdout.getvalue().isascii()
    assert json.loads(stdout.getvalue()) == {"text": text}
