"""Hints: every word counts wherever it stands, beside and inside of others; a text with none is none."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.inspection.hints import hints_at_decoding, hints_at_executing

MANY = settings(max_examples=1000, deadline=None)
DECODING = [
    *("b64decode", "b32decode", "b16decode", "b85decode", "a85decode", "decodebytes", "decodestring"),
    *("codecs.decode", "unhexlify", "fromhex", "'hex'", '"hex"', "'base64'", '"base64"', "'zlib'", '"zlib"'),
    *("chr(", "chr,", "rot13", "rot_13", "a2b_", "decompress", "decrypt", "marshal"),
]
EXECUTING = re.compile(
    r"(?<![.\w])(?:exec|eval|compile)\b|(?<!\w)os\s*\.\s*(?:exec|system|popen|spawn)|import\s+(?:system|popen)"
    r"|builtins|subprocess|FunctionType|CodeType|runpy"
)
PIECES = [
    *("exec", "eval", "compile", "system", "popen", "spawn", "builtins", "subprocess", "FunctionType", "CodeType"),
    *(
        "runpy",
        "os",
        "os.",
        "os .\n",
        "pos.",
        "import ",
        "import\n",
        "cos",
        ".",
        "x",
        "_",
        " ",
        "\n",
        "(",
        "é",
        "文",
        "\U0001f40d",
    ),
]


def near(words: list[str]) -> st.SearchStrategy[str]:
    """Texts of words, of parts of them, and of other things, side by side."""
    parts = st.sampled_from(words).flatmap(
        lambda word: st.tuples(st.integers(0, len(word)), st.integers(0, len(word))).map(
            lambda ends: word[min(ends) : max(ends)]
        )
    )
    return st.lists(st.sampled_from(words) | parts | st.text(max_size=3), max_size=8).map("".join)


@MANY
@given(near(["chr", "'", '"', *DECODING]) | st.text())
def test_a_word_that_decodes_is_seen_wherever_it_stands(text: str) -> None:
    assert hints_at_decoding(text) == any(word in text for word in DECODING)


@MANY
@given(near(PIECES) | st.text())
def test_a_word_that_executes_is_seen_where_it_stands_for_itself(text: str) -> None:
    assert hints_at_executing(text) == (EXECUTING.search(text) is not None)


@pytest.mark.parametrize("word", DECODING)
@pytest.mark.parametrize("before", ["", "x" * 70_000, "é" * 70_000, "文" * 5, "\U0001f40d\n"])
def test_a_word_is_seen_behind_anything(before: str, word: str) -> None:
    lines = "\n".join(before[at : at + 80] for at in range(0, len(before), 80))
    assert hints_at_decoding(f"{lines}{word}")
    assert not hints_at_decoding(f"{lines}{word[:-1]}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("A" * 1000, True), ("A" * 999, False), ("'" + "A" * 1000 + "'", True), ("\n".join(["A" * 999] * 9), False)),
        *((" " * 2000, False), ("A b" * 2000, False), ("x = 1\n" * 500 + "+/=_-" * 200, True)),
    ],
)
def test_a_long_run_of_what_encodes_is_a_hint(text: str, *, expected: bool) -> None:
    assert hints_at_decoding(text) is expected
