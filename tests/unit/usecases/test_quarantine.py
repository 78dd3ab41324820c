"""Quarantine by hand."""

from datetime import timedelta

import pytest
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.records import FakeRecordStore

from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.records import MAX_REASON, RecordState
from pinfold.domain.target import parse_target
from pinfold.usecases.quarantine import Quarantine

ALICE, BOB = Actor("alice"), Actor("bob")
BAD = parse_target("litellm==1.82.8")


@pytest.fixture
def store() -> FakeRecordStore:
    return FakeRecordStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def quarantine(store: FakeRecordStore, clock: FakeClock) -> Quarantine:
    return Quarantine(store, clock)


async def test_a_target_is_held_by_whom_when_and_why(quarantine: Quarantine, store: FakeRecordStore) -> None:
    record = await quarantine.add(BAD, "steals credentials", "MAL-2026-1", ALICE)
    assert (await store.current()).quarantine == (record,)
    assert record.id.startswith("Q-")
    assert len(record.id) == 9
    assert (record.target, record.created_by, record.created_at) == (BAD, "alice", NOON)
    assert (record.reason, record.reference) == ("steals credentials", "MAL-2026-1")
    (entry,) = store.audited
    assert (entry.action, entry.actor, entry.time) == (Action.QUARANTINE_ADD, ALICE, NOON)
    assert (entry.project, entry.reference) == ("litellm", record.id)
    assert entry.details == {"target": "litellm==1.82.8", "reason": "steals credentials", "reference": "MAL-2026-1"}


async def test_hashes_and_file_names_can_be_searched_for_in_the_log(
    quarantine: Quarantine, store: FakeRecordStore
) -> None:
    digest = "a" * 64
    await quarantine.add(parse_target(f"sha256:{digest}"), "bad bytes", None, ALICE)
    await quarantine.add(parse_target("litellm-1.82.8.tar.gz"), "bad file", None, ALICE)
    by_hash, by_name = store.audited
    assert (by_hash.project, by_hash.sha256, by_hash.filename) == (None, digest, None)
    assert (by_name.project, by_name.sha256, by_name.filename) == ("litellm", None, "litellm-1.82.8.tar.gz")


async def test_a_released_record_holds_nothing_and_tells_who_let_go(
    quarantine: Quarantine, store: FakeRecordStore, clock: FakeClock
) -> None:
    record = await quarantine.add(BAD, "looks odd", None, ALICE)
    clock.advance(timedelta(hours=1))
    closed = await quarantine.release(record.id.lower(), "false alarm", BOB)
    assert (await store.current()).quarantine == ()
    assert (closed.state, closed.closed_by, closed.closing_reason) == (RecordState.RELEASED, "bob", "false alarm")
    assert closed.closed_at == NOON + timedelta(hours=1)
    entry = store.audited[-1]
    assert (entry.action, entry.actor, entry.time) == (Action.QUARANTINE_RELEASE, BOB, closed.closed_at)
    assert entry.details["reason"] == "false alarm"


async def test_a_rejected_record_stays_in_force(quarantine: Quarantine, store: FakeRecordStore) -> None:
    record = await quarantine.add(BAD, "looks odd", None, ALICE)
    rejected = await quarantine.reject(record.id, "malware indeed", BOB)
    assert (await store.current()).quarantine == (rejected,)
    assert store.audited[-1].action is Action.QUARANTINE_REJECT


async def test_what_is_closed_cannot_be_closed_again(quarantine: Quarantine, store: FakeRecordStore) -> None:
    released = await quarantine.add(BAD, "looks odd", None, ALICE)
    await quarantine.release(released.id, "fine", BOB)
    with pytest.raises(InvalidRecord, match=r"was released by bob at 2026-03-24 12:00 UTC; .* add a new record"):
        await quarantine.reject(released.id, "not fine", ALICE)
    rejected = await quarantine.add(BAD, "looks odd", None, ALICE)
    await quarantine.reject(rejected.id, "bad", BOB)
    with pytest.raises(InvalidRecord, match=r"was rejected by bob .* waive the rule quarantined"):
        await quarantine.release(rejected.id, "fine", ALICE)
    assert len(store.audited) == 4


async def test_a_record_that_never_was_cannot_be_closed(quarantine: Quarantine) -> None:
    with pytest.raises(NotFound, match="Q-NOTHERE"):
        await quarantine.release("Q-NOTHERE", "fine", ALICE)


@pytest.mark.parametrize("reason", ["", "  \n\t", "\x00\x1b", "x" * (MAX_REASON + 1)])
async def test_nothing_is_done_without_a_proper_reason(
    quarantine: Quarantine, store: FakeRecordStore, reason: str
) -> None:
    held = await quarantine.add(BAD, "looks odd", None, ALICE)
    with pytest.raises(InvalidRecord, match="reason"):
        await quarantine.add(BAD, reason, None, ALICE)
    with pytest.raises(InvalidRecord, match="reason"):
        await quarantine.release(held.id, reason, ALICE)
    with pytest.raises(InvalidRecord, match="reason"):
        await quarantine.reject(held.id, reason, ALICE)
    assert len(store.audited) == 1


async def test_a_reason_is_kept_as_one_printable_line(quarantine: Quarantine) -> None:
    record = await quarantine.add(BAD, " steals\n\x1b[31mkeys\u202e \r\n", None, ALICE)
    assert record.reason == "steals [31mkeys"
