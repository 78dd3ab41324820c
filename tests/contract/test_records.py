"""What every record store keeps to, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.records import FakeRecordStore

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import NotFound, StoreError
from pinfold.domain.provenance import PublisherKind, PublisherPin
from pinfold.domain.records import PublisherDecision, PublisherRecord, QuarantineRecord, RecordState, Waiver
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.records import RecordStore

RECORD = QuarantineRecord("Q-1", ProjectTarget("litellm"), "reads credentials", "MAL-2026-1", "kim", NOON)
CLOSED = replace(
    RECORD,
    state=RecordState.RELEASED,
    closed_by="lee",
    closed_at=NOON + timedelta(hours=2),
    closing_reason="a false alarm",
)
WAIVER = Waiver("W-1", HashTarget("a" * 64), "minimum-age", "a fix we need", "kim", NOON, NOON + timedelta(days=7))
ADDED = Entry(Action.QUARANTINE_ADD, NOON, Actor("kim"), reference="Q-1")
ENDED = Entry(Action.QUARANTINE_RELEASE, NOON, Actor("lee"), reference="Q-1")


@dataclass
class Held:
    """A store with what its tests look at."""

    store: RecordStore
    clock: FakeClock
    audited: Callable[[], Awaitable[list[Entry]]]


@pytest.fixture(params=["sqlite", "fake"])
async def held(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Held]:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakeRecordStore(clock)

        async def audited() -> list[Entry]:
            return fake.audited

        yield Held(fake, clock, audited)
        return
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    log = SqliteAuditLog(ledger)

    async def logged() -> list[Entry]:
        return [recorded.entry for recorded in await log.search(AuditQuery(newest_first=False))]

    yield Held(SqliteRecordStore(ledger, clock), clock, logged)
    await ledger.close()


async def test_at_first_nothing_is_in_force(held: Held) -> None:
    records = await held.store.current()
    assert (records.quarantine, records.waivers) == ((), ())
    assert await held.store.quarantine_history() == []
    assert await held.store.waiver_history() == []


async def test_a_record_is_in_force_as_soon_as_it_is_added(held: Held) -> None:
    await held.store.current()
    await held.store.add_quarantine(RECORD, ADDED)
    assert (await held.store.current()).quarantine == (RECORD,)
    assert await held.audited() == [ADDED]


async def test_records_stand_in_the_order_they_came(held: Held) -> None:
    records = [replace(RECORD, id=name) for name in ("Q-9", "Q-1", "Q-5")]
    for record in records:
        await held.store.add_quarantine(record, ADDED)
    assert list((await held.store.current()).quarantine) == records
    assert await held.store.quarantine_history() == records


async def test_what_is_released_holds_nothing_but_is_not_forgotten(held: Held) -> None:
    await held.store.add_quarantine(RECORD, ADDED)
    await held.store.close_quarantine(CLOSED, ENDED)
    assert (await held.store.current()).quarantine == ()
    assert await held.store.quarantine_history() == [CLOSED]
    assert await held.audited() == [ADDED, ENDED]


async def test_what_is_rejected_stays_in_force(held: Held) -> None:
    rejected = replace(CLOSED, state=RecordState.REJECTED)
    await held.store.add_quarantine(RECORD, ADDED)
    await held.store.close_quarantine(rejected, ENDED)
    assert (await held.store.current()).quarantine == (rejected,)


async def test_a_record_is_closed_once(held: Held) -> None:
    await held.store.add_quarantine(RECORD, ADDED)
    await held.store.close_quarantine(CLOSED, ENDED)
    with pytest.raises(NotFound, match="Q-1"):
        await held.store.close_quarantine(replace(CLOSED, state=RecordState.REJECTED), ENDED)
    assert await held.store.quarantine_history() == [CLOSED]
    assert await held.audited() == [ADDED, ENDED]


async def test_a_record_that_never_was_cannot_be_closed(held: Held) -> None:
    with pytest.raises(NotFound, match="Q-1"):
        await held.store.close_quarantine(CLOSED, ENDED)
    assert await held.audited() == []


async def test_an_id_is_given_once(held: Held) -> None:
    await held.store.add_quarantine(RECORD, ADDED)
    await held.store.add_waiver(WAIVER, ADDED)
    with pytest.raises(StoreError):
        await held.store.add_quarantine(replace(RECORD, reason="another"), ADDED)
    with pytest.raises(StoreError):
        await held.store.add_waiver(replace(WAIVER, reason="another"), ADDED)
    assert await held.store.quarantine_history() == [RECORD]
    assert await held.store.waiver_history() == [WAIVER]
    assert len(await held.audited()) == 2


async def test_a_waiver_is_in_force_until_it_is_revoked(held: Held) -> None:
    await held.store.add_waiver(WAIVER, ADDED)
    assert (await held.store.current()).waivers == (WAIVER,)
    at = NOON + timedelta(days=1)
    await held.store.revoke_waiver("W-1", "lee", at, ENDED)
    assert (await held.store.current()).waivers == ()
    assert await held.store.waiver_history() == [replace(WAIVER, revoked_at=at, revoked_by="lee")]
    assert await held.audited() == [ADDED, ENDED]


@pytest.mark.parametrize("later", [timedelta(days=7), timedelta(days=8)])
async def test_a_waiver_that_has_expired_cannot_be_revoked(held: Held, later: timedelta) -> None:
    await held.store.add_waiver(WAIVER, ADDED)
    with pytest.raises(NotFound, match="W-1"):
        await held.store.revoke_waiver("W-1", "lee", NOON + later, ENDED)
    assert await held.store.waiver_history() == [WAIVER]
    assert await held.audited() == [ADDED]


async def test_a_waiver_is_revoked_once(held: Held) -> None:
    await held.store.add_waiver(WAIVER, ADDED)
    await held.store.revoke_waiver("W-1", "lee", NOON, ENDED)
    for name in ("W-1", "W-2"):
        with pytest.raises(NotFound, match=name):
            await held.store.revoke_waiver(name, "kim", NOON, ENDED)
    assert len(await held.audited()) == 2


async def test_a_waiver_that_has_expired_is_history(held: Held) -> None:
    await held.store.add_waiver(WAIVER, ADDED)
    assert (await held.store.current()).waivers == (WAIVER,)
    held.clock.advance(timedelta(days=7))
    await asyncio.sleep(0.3)
    assert (await held.store.current()).waivers == ()
    assert await held.store.waiver_history() == [WAIVER]


async def test_every_change_raises_the_revision(held: Held) -> None:
    revisions = [(await held.store.current()).revision]
    for change in (
        held.store.add_quarantine(RECORD, ADDED),
        held.store.add_waiver(WAIVER, ADDED),
        held.store.close_quarantine(CLOSED, ENDED),
        held.store.revoke_waiver("W-1", "lee", NOON, ENDED),
    ):
        await change
        revisions.append((await held.store.current()).revision)
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize(
    "target",
    [
        ProjectTarget("litellm"),
        ReleaseTarget("litellm", "==1.82.8"),
        ReleaseTarget("litellm", "<1.82.9,>=1.82.7"),
        FileTarget("litellm", "litellm-1.82.8-py3-none-any.whl"),
        FileTarget("a-2", "a-2-3.0.tar.gz"),
        HashTarget("a" * 64),
    ],
)
async def test_every_target_is_kept_exactly(held: Held, target: Target) -> None:
    record, waiver = replace(RECORD, target=target), replace(WAIVER, target=target)
    await held.store.add_quarantine(record, ADDED)
    await held.store.add_waiver(waiver, ADDED)
    records = await held.store.current()
    assert (records.quarantine, records.waivers) == ((record,), (waiver,))


async def test_times_are_kept_to_the_microsecond(held: Held) -> None:
    exact = replace(RECORD, created_at=datetime(2026, 3, 24, 10, 39, 0, 1, UTC))
    await held.store.add_quarantine(exact, ADDED)
    assert await held.store.quarantine_history() == [exact]


PINNED = PublisherRecord(
    "P-1",
    "litellm",
    PublisherDecision.PIN,
    PublisherPin(PublisherKind.GITHUB, "BerriAI/litellm", "publish.yml", "release"),
    "theirs",
    "kim",
    NOON,
)
PINNING = Entry(Action.PUBLISHER_PIN, NOON, Actor("kim"), project="litellm", reference="P-1")
REVOKING = Entry(Action.PUBLISHER_REVOKE, NOON, Actor("lee"), project="litellm", reference="P-1")


async def test_a_publisher_is_in_force_as_soon_as_it_is_added_and_until_it_is_revoked(held: Held) -> None:
    before = (await held.store.current()).revision
    unattested = replace(PINNED, id="P-2", decision=PublisherDecision.ACCEPT, publisher=None)
    account = replace(PINNED, id="P-3", publisher=PublisherPin(PublisherKind.GOOGLE, email="robot@example.com"))
    for record in (PINNED, unattested, account):
        await held.store.add_publisher(record, PINNING)
    records = await held.store.current()
    assert records.publishers == (PINNED, unattested, account)
    assert records.revision != before
    await held.store.revoke_publisher("P-1", "lee", NOON, REVOKING)
    assert (await held.store.current()).publishers == (unattested, account)
    assert await held.audited() == [PINNING, PINNING, PINNING, REVOKING]
    history = await held.store.publisher_history()
    assert history == [replace(PINNED, revoked_at=NOON, revoked_by="lee"), unattested, account]


async def test_a_publisher_is_added_and_revoked_once(held: Held) -> None:
    await held.store.add_publisher(PINNED, PINNING)
    with pytest.raises(StoreError):
        await held.store.add_publisher(PINNED, PINNING)
    await held.store.revoke_publisher("P-1", "lee", NOON, REVOKING)
    for gone in ("P-1", "P-9"):
        with pytest.raises(NotFound):
            await held.store.revoke_publisher(gone, "lee", NOON, REVOKING)
    assert await held.audited() == [PINNING, REVOKING]


async def test_publishers_concern_their_project_alone(held: Held) -> None:
    await held.store.add_publisher(PINNED, PINNING)
    records = await held.store.current()
    assert records.for_project("litellm").publishers == (PINNED,)
    assert records.for_project("litellm-proxy").publishers == ()
