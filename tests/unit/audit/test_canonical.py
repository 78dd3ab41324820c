import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pinfold.audit.canonical import (
    MAX_TEXT,
    canonical_bytes,
    canonical_part,
    from_canonical,
    kept_text,
    placed,
    render,
    rfc3339,
)
from pinfold.domain.audit_entry import Action, Actor, Entry, Recorded

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
ENTRY = Entry(action=Action.FILE_SERVED, time=NOON, actor=Actor())

NEW_YEAR = NOON.replace(month=1, day=1, tzinfo=None)

# Any code point, lone surrogates among them, as aiohttp's header decoding and JSON's escapes let through.
texts = st.text(st.characters(exclude_categories=()), max_size=40) | st.integers(1000, 1100).map("é".__mul__)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
maybe = st.none() | texts
entries = st.builds(
    Entry,
    action=st.sampled_from(Action),
    time=st.datetimes(NEW_YEAR, timezones=st.sampled_from([UTC, timezone(timedelta(hours=7))])),
    actor=st.builds(Actor, name=texts, address=maybe, ci=st.none() | st.booleans(), user_agent=maybe),
    index=maybe,
    project=maybe,
    filename=maybe,
    sha256=maybe,
    decision=maybe,
    verdicts=st.lists(st.dictionaries(texts, plain, max_size=3), max_size=3).map(tuple),
    details=st.dictionaries(texts, plain, max_size=3),
)


@given(st.integers(1, 2**53 - 1), entries)
def test_bytes_and_entry_tell_the_same(seq: int, entry: Entry) -> None:
    data = canonical_bytes(seq, entry)
    recorded = from_canonical(data)
    assert (recorded.seq, recorded.entry.action, recorded.entry.time) == (seq, entry.action, entry.time)
    assert canonical_bytes(recorded.seq, recorded.entry) == data


@given(entries)
def test_the_bytes_are_what_rfc_8785_asks_for(entry: Entry) -> None:
    data = canonical_bytes(1, entry)
    assert rfc8785.dumps(json.loads(data)) == data


@given(entries)
def test_parts_are_spelled_as_they_are_within_the_entry(entry: Entry) -> None:
    rendered = render(entry)
    told = json.loads(placed(rendered.head, 1))["entry"]
    assert placed(rendered.head, 1) == canonical_bytes(1, entry)
    assert b'"actor":' + rendered.actor in rendered.head
    assert rfc8785.dumps(told["actor"]) == rendered.actor
    assert rfc8785.dumps(told.get("verdicts", [])) == rendered.verdicts


@given(entries)
def test_what_is_remembered_of_an_entry_is_what_would_be_made_anew(entry: Entry) -> None:
    """Clients and verdicts are rendered once; a copy that shares no object with the entry is rendered afresh."""
    first, again = canonical_bytes(5, entry), canonical_bytes(5, entry)
    assert first == again == canonical_bytes(5, deepcopy(entry))
    told = json.loads(first)["entry"]
    assert canonical_part(entry.verdicts) == rfc8785.dumps(told.get("verdicts", []))
    assert canonical_part(entry.actor) == rfc8785.dumps(told["actor"])


@given(entries)
def test_no_entry_breaks_a_line(entry: Entry) -> None:
    assert not any(byte < 0x20 for byte in canonical_bytes(1, entry))


def test_the_bytes_of_an_entry_are_fixed_for_ever() -> None:
    entry = Entry(
        action=Action.FILE_REFUSED,
        time=datetime(2026, 3, 24, 10, 39, 0, 120, UTC),
        actor=Actor(name="build-7", address="192.0.2.1", ci=False),
        project="litellm",
        verdicts=({"rule": "known-malware", "effect": "deny", "waiver": None},),
        details={"range": [0, 99], "ratio": 0.5, "size": 2**60},
    )
    assert canonical_bytes(7, entry) == (
        b'{"entry":{"action":"file.refused","actor":{"address":"192.0.2.1","ci":false,"name":"build-7"},'
        b'"details":{"range":[0,99],"ratio":"0.5","size":"1152921504606846976"},"project":"litellm",'
        b'"time":"2026-03-24T10:39:00.000120Z","verdicts":[{"effect":"deny","rule":"known-malware","waiver":null}]},'
        b'"seq":7,"v":1}'
    )


def test_an_entry_comes_back_as_it_was() -> None:
    entry = replace(
        ENTRY, verdicts=({"rule": "contents"},), details={"reason": "line\nline \x1b[31m", "flags": [True, None]}
    )
    assert from_canonical(canonical_bytes(3, entry)) == Recorded(3, entry)


def test_what_does_not_apply_takes_no_room() -> None:
    assert canonical_bytes(1, ENTRY) == (
        b'{"entry":{"action":"file.served","actor":{"name":"anonymous"},"time":"2026-03-24T12:00:00.000000Z"},'
        b'"seq":1,"v":1}'
    )


def test_the_same_moment_is_spelled_the_same_everywhere() -> None:
    elsewhere = replace(ENTRY, time=NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert canonical_bytes(1, elsewhere) == canonical_bytes(1, ENTRY)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_the_order_of_texts_is_the_order_of_times(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)
    assert datetime.fromisoformat(rfc3339(one)) == one


def test_a_huge_user_agent_is_cut_with_a_mark() -> None:
    entry = replace(ENTRY, actor=Actor(user_agent="x" * 10_000_000))
    kept = from_canonical(canonical_bytes(1, entry)).entry.actor.user_agent
    assert kept == "x" * (MAX_TEXT - 1) + "…"


def test_bytes_that_are_no_text_are_replaced() -> None:
    header = b"pip/26 \xff\xed\xa0\x80".decode("utf-8", "surrogateescape")
    assert kept_text(header) == "pip/26 " + "\N{REPLACEMENT CHARACTER}" * 4


def test_text_that_can_be_kept_is_kept() -> None:
    assert kept_text("naïve \N{SNOWMAN}\0\x7f \U0001f40d") == "naïve \N{SNOWMAN}\0\x7f \U0001f40d"


def test_a_time_without_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        canonical_bytes(1, replace(ENTRY, time=NOON.replace(tzinfo=None)))


@pytest.mark.parametrize("strange", [b"bytes", {1, 2}, object()])
def test_details_are_plain_data(strange: object) -> None:
    with pytest.raises(TypeError, match="audit entry"):
        canonical_bytes(1, replace(ENTRY, details={"strange": strange}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b'{"v":1,"seq":1,"entry":{}}',
        canonical_bytes(1, ENTRY)[:-1],
        canonical_bytes(1, ENTRY).replace(b'"v":1', b'"v":2'),
        canonical_bytes(1, ENTRY).replace(b"file.served", b"file.unheard-of"),
        canonical_bytes(1, ENTRY).replace(b".000000Z", b""),
    ],
)
def test_what_is_no_entry_is_not_read_as_one(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an audit entry"):
        from_canonical(data)
