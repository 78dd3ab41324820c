"""Waivers."""

from datetime import timedelta

import pytest
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.records import FakeRecordStore

from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.target import parse_target
from pinfold.usecases.waive import Waive

ALICE, BOB = Actor("alice"), Actor("bob")
URGENT = parse_target("litellm==1.82.9")
FORTNIGHT = timedelta(days=14)


@pytest.fixture
def store() -> FakeRecordStore:
    return FakeRecordStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def waive(store: FakeRecordStore, clock: FakeClock) -> Waive:
    return Waive(store, clock)


async def test_a_waiver_says_who_excepts_what_from_which_rule_and_until_when(
    waive: Waive, store: FakeRecordStore
) -> None:
    waiver = await waive.add(URGENT, "minimum-age", "fixes CVE-2026-1", NOON + FORTNIGHT, ALICE)
    assert (await store.current()).waivers == (waiver,)
    assert waiver.id.startswith("W-")
    assert (waiver.target, waiver.rule, waiver.created_by) == (URGENT, "minimum-age", "alice")
    assert waiver.stands_at(NOON)
    assert not waiver.stands_at(NOON + FORTNIGHT)
    (entry,) = store.audited
    assert (entry.action, entry.actor, entry.rule) == (Action.WAIVER_ADD, ALICE, "minimum-age")
    assert (entry.project, entry.reference) == ("litellm", waiver.id)
    assert entry.details == {
        "target": "litellm==1.82.9",
        "reason": "fixes CVE-2026-1",
        "expires_at": "2026-04-07T12:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("min-age", "no rule 'min-age'; did you mean minimum-age"),
        ("x", "no rule 'x'; known: .*minimum-age.*quarantined"),
    ],
)
async def test_a_rule_that_does_not_exist_is_answered_with_those_that_do(
    waive: Waive, store: FakeRecordStore, rule: str, told: str
) -> None:
    with pytest.raises(InvalidRecord, match=told):
        await waive.add(URGENT, rule, "hurry", NOON + FORTNIGHT, ALICE)
    assert store.audited == []


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=-1)])
async def test_a_waiver_ends_in_the_future(waive: Waive, store: FakeRecordStore, ahead: timedelta) -> None:
    with pytest.raises(InvalidRecord, match="cannot end in the past"):
        await waive.add(URGENT, "minimum-age", "hurry", NOON + ahead, ALICE)
    assert store.audited == []


async def test_a_waiver_needs_a_reason(waive: Waive, store: FakeRecordStore) -> None:
    with pytest.raises(InvalidRecord, match="reason"):
        await waive.add(URGENT, "minimum-age", " ", NOON + FORTNIGHT, ALICE)
    assert store.audited == []


async def test_a_revoked_waiver_stands_no_more(waive: Waive, store: FakeRecordStore, clock: FakeClock) -> None:
    waiver = await waive.add(URGENT, "minimum-age", "hurry", NOON + FORTNIGHT, ALICE)
    clock.advance(timedelta(hours=1))
    await waive.revoke(waiver.id.lower(), BOB)
    assert (await store.current()).waivers == ()
    (revoked,) = await store.waiver_history()
    assert (revoked.revoked_by, revoked.revoked_at) == ("bob", NOON + timedelta(hours=1))
    assert (store.audited[-1].action, store.audited[-1].actor) == (Action.WAIVER_REVOKE, BOB)


async def test_what_has_ended_cannot_be_revoked(waive: Waive, store: FakeRecordStore, clock: FakeClock) -> None:
    revoked = await waive.add(URGENT, "minimum-age", "hurry", NOON + FORTNIGHT, ALICE)
    await waive.revoke(revoked.id, BOB)
    with pytest.raises(InvalidRecord, match="was revoked by bob at 2026-03-24 12:00 UTC already"):
        await waive.revoke(revoked.id, ALICE)
    expired = await waive.add(URGENT, "minimum-age", "hurry", NOON + FORTNIGHT, ALICE)
    clock.advance(FORTNIGHT)
    with pytest.raises(InvalidRecord, match="expired at 2026-04-07 12:00 UTC"):
        await waive.revoke(expired.id, ALICE)
    with pytest.raises(NotFound, match="W-NOTHERE"):
        await waive.revoke("W-NOTHERE", ALICE)
    assert len(store.audited) == 3
