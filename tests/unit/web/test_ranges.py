import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.web.ranges import Unsatisfiable, asks_for_range, resolve_range


@pytest.mark.parametrize(
    ("header", "length", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-5", 10, (2, 6)),
        ("bytes=2-", 10, (2, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-30", 10, (0, 10)),
        ("bytes=5-100", 10, (5, 10)),
        ("Bytes = 1 - 2", 10, (1, 3)),
        (None, 10, None),
        ("bytes=5-2", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("items=0-1", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=\u0661-\u0662", 10, None),
    ],
)
def test_a_range_is_resolved_against_the_length(header, length, expected):
    assert resolve_range(header, length) == expected


@pytest.mark.parametrize(
    ("header", "length"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=-5", 0)]
)
def test_a_range_beyond_the_end_is_unsatisfiable(header, length):
    with pytest.raises(Unsatisfiable):
        resolve_range(header, length)


@given(st.text(max_size=40), st.integers(0, 1000))
def test_whatever_a_client_sends_the_range_lies_within_the_file(header, length):
    try:
        found = resolve_range(header, length)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= length


@given(st.integers(0, 10**19), st.integers(0, 10**19), st.integers(1, 10**6))
def test_well_formed_ranges_lie_within_the_file(first, last, length):
    header = f"bytes={first}-{last}"
    assert asks_for_range(header) == (max(first, last) < 10**19)
    try:
        found = resolve_range(header, length)
    except Unsatisfiable:
        assert first >= length
    else:
        assert found is None or found == (first, min(last + 1, length))
