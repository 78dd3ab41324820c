"""The schema's evaluation of versions and ranges, by a table of its corners and against the schema's own algorithm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from pinfold.advisories.ranges import Versions, affected, fixes
from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event
from pinfold.domain.names import parse_version

RELEASES = ["0.9.dev1", "0.9", "1.0a1", "1.0", "1.0.post1", "1.1rc1", "1.1", "1.9", "1.10", "2.0", "1!0.1"]


def a_claim(*ranges: str, versions: tuple[str, ...] = ()) -> Claim:
    """A claim by ranges such as `introduced 0, fixed 1.0`."""
    parsed = tuple(
        tuple(Event(Bound(word), version) for word, version in (event.split() for event in one.split(", ")))
        for one in ranges
    )
    return Claim("X-1", AdvisoryKind.VULNERABILITY, frozenset(versions), parsed)


def named(claim: Claim, *releases: str) -> list[str]:
    versions = Versions.of(releases or RELEASES)
    found = affected(claim, versions)
    return [text for text in versions.texts if text in found]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (["introduced 0"], RELEASES),
        (["introduced 0, fixed 1.0"], ["0.9.dev1", "0.9", "1.0a1"]),
        (["introduced 0, last_affected 1.0"], ["0.9.dev1", "0.9", "1.0a1", "1.0"]),
        (["introduced 1.0, fixed 1.1"], ["1.0", "1.0.post1", "1.1rc1"]),
        (["introduced 1.0, last_affected 1.0"], ["1.0"]),
        (["introduced 1.9, fixed 2.0"], ["1.9", "1.10"]),
        (["introduced 2.0"], ["2.0", "1!0.1"]),
        (["fixed 1.0"], []),
        (["last_affected 1.0"], []),
        # Events may stand in any order.
        (["fixed 1.1, introduced 1.0"], ["1.0", "1.0.post1", "1.1rc1"]),
        # Broken again, and mended again.
        (["introduced 0, fixed 0.9, introduced 1.1, fixed 1.9"], ["0.9.dev1", "1.1"]),
        (["introduced 0, fixed 1.0, introduced 1.0, fixed 1.0.post1"], ["0.9.dev1", "0.9", "1.0a1", "1.0"]),
        # Several fixes, on several branches: the first ends the range.
        (["introduced 1.0, fixed 1.1, fixed 2.0"], ["1.0", "1.0.post1", "1.1rc1"]),
        (["introduced 1.0, introduced 1.1, fixed 1.9"], ["1.0", "1.0.post1", "1.1rc1", "1.1"]),
        # Any range will do.
        (["introduced 0, fixed 0.9", "introduced 2.0, last_affected 2.0"], ["0.9.dev1", "2.0"]),
        # Limits: nothing is said from there on; the farthest counts, and a star is none.
        (["introduced 1.0, limit 1.1"], ["1.0", "1.0.post1", "1.1rc1"]),
        (["introduced 1.9, limit 1.1, limit 2.0"], ["1.9", "1.10"]),
        (["introduced 2.0, limit *"], ["2.0", "1!0.1"]),
        (["introduced 1.9, fixed 1.10, limit 2.0"], ["1.9"]),
        # Other spellings of the same versions.
        (["introduced v1.0.0, fixed 1.1.0-rc.1"], ["1.0", "1.0.post1"]),
        # What nobody can read neither ends a range nor keeps it from beginning.
        (["introduced garbage, fixed 0.9"], ["0.9.dev1"]),
        (["introduced 2.0, fixed garbage"], ["2.0", "1!0.1"]),
        (["introduced 2.0, limit garbage"], ["2.0", "1!0.1"]),
        ([], []),
    ],
)
def test_ranges(ranges: list[str], expected: list[str]) -> None:
    assert named(a_claim(*ranges)) == expected


def test_listed_versions_count_beside_ranges() -> None:
    claim = a_claim("introduced 2.0, fixed 1!0", versions=("1.0",))
    assert named(claim) == ["1.0", "2.0"]


def test_no_version_is_meant_by_a_listed_one_that_only_looks_alike() -> None:
    assert named(a_claim(versions=("1.1",)), "1.1", "1.10", "1.1rc1", "11") == ["1.1"]


def test_fixes_are_the_versions_of_fixed_events() -> None:
    assert fixes(a_claim("introduced 0, fixed 1.0.0rc1", "introduced 2, last_affected 3, fixed x")) == {"1.0.0rc1"}


versions = st.sampled_from(["0", "0.dev1", "0a1", "1", "1.0", "1.1", "1.1.post1", "1.10", "2rc1", "2", "3!1", "?"])
ranges = st.lists(st.tuples(st.sampled_from(list(Bound)), versions), max_size=6)


@given(st.lists(ranges, max_size=3), st.sets(versions, max_size=3), st.sets(versions, max_size=8))
def test_agrees_with_the_algorithm_that_the_schema_prescribes(
    drawn: list[list[tuple[Bound, str]]], listed: set[str], releases: set[str]
) -> None:
    texts = {str(version) for text in releases if (version := parse_version(text)) is not None}
    listed = {str(parse_version(text) or text) for text in listed}
    events = tuple(tuple(Event(bound, version) for bound, version in one) for one in drawn)
    claim = Claim("X-1", AdvisoryKind.MALWARE, frozenset(listed), events)
    expected = {text for text in texts if text in listed or any(_included(Version(text), one) for one in events)}
    assert affected(claim, Versions.of(texts)) == expected


def _included(version: Version, events: tuple[Event, ...]) -> bool:
    """Walk a range's events in order, as the schema's pseudo-code does, for one version."""
    limits = [event.version for event in events if event.bound is Bound.LIMIT]
    readable = [parse_version(limit) for limit in limits]
    if (
        limits
        and "*" not in limits
        and None not in readable
        and not any(limit and version < limit for limit in readable)
    ):
        return False
    order = {Bound.FIXED: 0, Bound.INTRODUCED: 1, Bound.LAST_AFFECTED: 2}
    steps = []
    for event in events:
        at = parse_version(event.version)
        if event.bound is Bound.INTRODUCED and (at is None or event.version == "0"):
            steps.append((0, Version("0"), 0, event.bound, None))
        elif event.bound in order and at is not None:
            steps.append((1, at, order[event.bound], event.bound, at))
    vulnerable = False
    for _, _, _, bound, at in sorted(steps, key=lambda step: step[:3]):
        if bound is Bound.INTRODUCED and (at is None or version >= at):
            vulnerable = True
        elif (bound is Bound.FIXED and version >= at) or (bound is Bound.LAST_AFFECTED and version > at):
            vulnerable = False
    return vulnerable
