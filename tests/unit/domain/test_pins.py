"""Pins, and how sets of them differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.errors import InvalidRecord
from pinfold.domain.pins import Pin, ProjectChange, difference, in_order, pin_set_name, pins_digest, releases

A, B, C = "a" * 64, "b" * 64, "c" * 64


def test_what_changes_is_told_by_project() -> None:
    before = [Pin("six", "1.16.0", A), Pin("requests", "2.31.0", B), Pin("idna", "3.7", C)]
    after = [Pin("requests", "2.32.3", B), Pin("requests", "2.32.3", A), Pin("idna", "3.7", C), Pin("new", "1", C)]
    assert difference(before, after) == (
        ProjectChange("new", (), ("1",), added=1, removed=0),
        ProjectChange("requests", ("2.31.0",), ("2.32.3",), added=2, removed=1),
        ProjectChange("six", ("1.16.0",), (), added=0, removed=1),
    )


def test_versions_are_told_newest_first_by_pep_440() -> None:
    pins = [Pin("a", version, A) for version in ("1.9", "1.10", "1.10rc1", "2!0.1")]
    assert releases(pins) == ("2!0.1", "1.10", "1.10rc1", "1.9")


def test_bytes_that_are_pinned_without_a_name_need_no_pin_with_one() -> None:
    named, nameless = Pin("a", "1", A, "a-1.tar.gz"), Pin("a", "1", A)
    assert in_order([named, nameless, named]) == (nameless,)
    assert in_order([named, Pin("a", "2", A)]) == (named, Pin("a", "2", A))


pins = st.builds(
    Pin,
    st.sampled_from(["a", "b", "c-d"]),
    st.sampled_from(["1.0", "2.0", "10.0", "1.0a1"]),
    st.sampled_from([A, B, C]),
    st.sampled_from([None, "x.whl", "y.tar.gz"]),
)


@given(st.lists(pins), st.randoms(use_true_random=False))
def test_the_order_in_which_pins_come_makes_no_difference(some: list[Pin], shuffling: object) -> None:
    again = list(some)
    shuffling.shuffle(again)  # type: ignore[attr-defined]
    assert in_order(again) == in_order(some)
    assert pins_digest(in_order(again)) == pins_digest(in_order(some))
    assert in_order(in_order(some)) == in_order(some)


@given(st.lists(pins), st.lists(pins))
def test_sets_differ_where_their_digests_do(some: list[Pin], others: list[Pin]) -> None:
    left, right = in_order(some), in_order(others)
    assert (difference(left, right) == ()) is (pins_digest(left) == pins_digest(right))
    forward, back = difference(left, right), difference(right, left)
    assert [(one.project, one.added, one.removed) for one in forward] == [
        (one.project, one.removed, one.added) for one in back
    ]


@pytest.mark.parametrize("name", ["", "Prod", "prod set", "-prod", "prod--x", "../prod", "a" * 65, "prod\n", "прод"])
def test_a_set_is_called_as_an_index_may_be(name: str) -> None:
    with pytest.raises(InvalidRecord, match="names no pin set"):
        pin_set_name(name)
    assert pin_set_name("prod-2026") == "prod-2026"
