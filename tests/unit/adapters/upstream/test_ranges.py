import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.upstream.ranges import ContentRange, parse_content_range


@given(st.integers(0, 10**17), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_range_is_read_as_it_was_written(first: int, more: int, rest: int) -> None:
    sent = parse_content_range(f"bytes {first}-{first + more}/{first + more + rest}")
    assert sent == ContentRange(first, first + more, first + more + rest)
    assert sent.length == more + 1


@pytest.mark.parametrize(
    "value",
    [None, "", "bytes", "bytes 0-9/*", "bytes */100", "bytes 9-0/100", "bytes 0-100/100", "bytes 0-9", "items 0-9/100",
     "bytes -1-9/100", "bytes 0-9/100, bytes 20-29/100", f"bytes 0-9/{10**18}",
     "bytes \u0660-\u0669/\u0661\u0660\u0660", "bytes=0-9/100"],
)  # fmt: skip
def test_what_could_not_be_a_range_is_none(value: str | None) -> None:
    assert parse_content_range(value) is None


@pytest.mark.parametrize(
    ("sent", "first", "last", "answers"),
    [
        (ContentRange(10, 19, 100), 10, 19, True),
        (ContentRange(90, 99, 100), 90, 500, True),
        (ContentRange(90, 99, 100), -10, 0, True),
        (ContentRange(0, 99, 100), -500, 0, True),
        (ContentRange(10, 18, 100), 10, 19, False),
        (ContentRange(11, 19, 100), 10, 19, False),
        (ContentRange(10, 20, 100), 10, 19, False),
        (ContentRange(90, 98, 100), 90, 500, False),
        (ContentRange(91, 99, 100), -10, 0, False),
        (ContentRange(80, 89, 100), -10, 0, False),
        (ContentRange(0, 9, 100), -10, 0, False),
    ],
)
def test_a_range_answers_only_the_one_that_was_asked_for(
    sent: ContentRange, first: int, last: int, answers: bool
) -> None:
    assert sent.answers(first, last) is answers
