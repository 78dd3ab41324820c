from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.duration import exact_duration, parse_duration, short_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        (" 3 d ", timedelta(days=3)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta(0)),
        ("999999w", timedelta(weeks=999_999)),
    ],
)
def test_lengths_are_read(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "3", "d", "-3d", "3.5d", "3D", "3dd", "3d 4h", "٣d", "1000000s", "3 days", "1e3s"]
)
def test_what_is_no_length_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 15m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59, microseconds=999_999), "59 s"),
        (timedelta(minutes=59, seconds=59), "59 m"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=2, hours=23), "2 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_short_form_rounds_down(length: timedelta, text: str) -> None:
    assert short_duration(length) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(days=3), "3 d"),
        (timedelta(hours=36), "36 h"),
        (timedelta(minutes=90), "90 m"),
        (timedelta(minutes=1, seconds=1), "61 s"),
    ],
)
def test_exact_form_does_not_round(length: timedelta, text: str) -> None:
    assert exact_duration(length) == text


@given(st.integers(0, 999_999))
def test_exact_form_can_be_read_back(seconds: int) -> None:
    assert parse_duration(exact_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@given(st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_short_form_never_overstates(length: timedelta) -> None:
    assert parse_duration(short_duration(length)) <= length
