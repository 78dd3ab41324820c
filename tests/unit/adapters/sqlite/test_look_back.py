"""What looking back remembers in the ledger."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.evidence import evidence_of
from tests.unit.adapters.sqlite.ledgers import append

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.alerts import SqliteOutbox
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.look_back import SqliteLookBackStore
from pinfold.adapters.sqlite.records import SqliteRecordStore
from pinfold.domain.alert import Alert
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.target import parse_target
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.look_back import HANDOVER, ChangedDecision, EvidenceChange, ServedFile
from pinfold.usecases.quarantine import Quarantine

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
EVIDENCE = evidence_of()
SERVED = Entry(
    Action.FILE_SERVED,
    NOON,
    Actor("ci"),
    index="main",
    project="litellm",
    version="1.82.8",
    filename="litellm-1.82.8.tar.gz",
    sha256="a" * 64,
    decision="allow",
)
FILE = ServedFile("main", "litellm", "1.82.8", "litellm-1.82.8.tar.gz", "a" * 64)
OF_PROJECT = EvidenceChange(1, "", project="litellm")
CHANGED = ChangedDecision(
    FILE, replace(SERVED, action=Action.DECISION_CHANGED, evidence_digest=EVIDENCE.digest()), EVIDENCE
)
ALERT = Alert("A-1", NOON, "decision.changed", "news")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger, made once: to bring a file's schema up to date takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    asyncio.run(Database(path, schema.ledger, durable=False).close())
    return path


@pytest.fixture
async def ledger(empty: Path, tmp_path: Path) -> AsyncIterator[Database]:
    path = shutil.copy(empty, tmp_path / "ledger.db")
    ledger = await Database.open(path, schema.ledger, durable=False)
    yield ledger
    await ledger.close()


async def serve(ledger: Database, *entries: Entry) -> None:
    for entry in entries or (SERVED,):
        await append(ledger, entry)


async def test_files_are_remembered_once_an_index_from_the_audit_log_itself(ledger: Database) -> None:
    store = SqliteLookBackStore(ledger)
    await serve(ledger, SERVED, SERVED, replace(SERVED, index="strict"), replace(SERVED, action=Action.FILE_REFUSED))
    assert await store.served(OF_PROJECT) == [FILE, replace(FILE, index="strict")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (EvidenceChange(1, "", project="litellm"), 2),
        (EvidenceChange(1, "", project="requests"), 0),
        (EvidenceChange(1, "", project="litellm", filename="litellm-1.82.8.tar.gz"), 1),
        (EvidenceChange(1, "", sha256="a" * 64), 1),
        (EvidenceChange(1, ""), 0),
    ],
)
async def test_a_change_concerns_what_it_names(ledger: Database, change: EvidenceChange, expected: int) -> None:
    await serve(ledger, SERVED, replace(SERVED, filename="litellm-1.82.9.tar.gz", sha256="b" * 64))
    assert len(await SqliteLookBackStore(ledger).served(change)) == expected


@pytest.mark.parametrize("target", ["litellm==1.82.8", "litellm-1.82.8.tar.gz", "sha256:" + "a" * 64])
async def test_changes_of_records_note_themselves(ledger: Database, target: str) -> None:
    await serve(ledger)
    clock = FakeClock()
    quarantine = Quarantine(SqliteRecordStore(ledger, clock), clock)
    record = await quarantine.add(parse_target(target), "r", None, Actor("alice"))
    store = SqliteLookBackStore(ledger)
    change = await store.take(NOON, LATER)
    assert change is not None
    assert (change.cause, change.attempts) == (f"quarantine.add {record.id}", 1)
    assert await store.served(change) == [FILE]
    await store.settle(change.number)
    assert await store.take(LATER, LATER) is None


async def test_a_change_belongs_to_one_taker_until_its_time_is_up(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    await store.note(["litellm"], "a feed")
    taken = await asyncio.gather(*(SqliteLookBackStore(ledger).take(NOON, LATER) for _ in range(8)))
    assert sum(one is not None for one in taken) == 1
    again = await store.take(LATER, LATER)
    assert again is not None
    assert again.attempts == 2


async def test_a_change_is_noted_once_while_nobody_looks_at_it_and_again_while_somebody_does(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    for _ in range(3):
        await store.note(["litellm", "never-served"], "a feed")
    first = await store.take(NOON, LATER)
    assert first is not None
    assert await store.take(NOON, LATER) is None
    await store.note(None, "a feed")
    second = await store.take(NOON, LATER)
    assert second is not None
    assert (second.project, second.number) == ("litellm", first.number + 1)


async def test_a_changed_decision_its_evidence_and_its_alert_are_one_transaction(ledger: Database) -> None:
    await serve(ledger)
    store, log = SqliteLookBackStore(ledger), SqliteAuditLog(ledger)
    assert await store.record([CHANGED], ALERT, ["log", "soc"])
    (recorded,) = await log.search(AuditQuery(action="decision.changed"))
    assert recorded.entry == CHANGED.entry
    assert await log.evidence([EVIDENCE.digest()]) == {EVIDENCE.digest(): EVIDENCE}
    assert [one.receiver for one in await SqliteOutbox(ledger).pending()] == ["log", "soc"]
    assert await store.served(OF_PROJECT) == [replace(FILE, refused=True)]


async def test_what_another_process_recorded_first_is_not_recorded_again(ledger: Database) -> None:
    await serve(ledger)
    stores = [SqliteLookBackStore(ledger) for _ in range(5)]
    results = await asyncio.gather(*(store.record([CHANGED], ALERT, ["log"]) for store in stores))
    assert sorted(results) == [False, False, False, False, True]
    assert len(await SqliteAuditLog(ledger).search(AuditQuery(action="decision.changed"))) == 1
    assert len(await SqliteOutbox(ledger).pending()) == 1


async def test_a_file_that_was_on_its_way_when_it_was_refused_stands_as_served_and_is_looked_at_again(
    ledger: Database,
) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    assert await store.take(NOON, LATER) is None
    await store.record([CHANGED], ALERT, [])
    await serve(ledger)
    assert await store.served(OF_PROJECT) == [FILE]
    again = await store.take(NOON, LATER)
    assert again is not None
    assert again.cause == "file.served while it was being refused"
    assert await store.served(again) == [FILE]


async def changes(ledger: Database) -> list[tuple[str, str | None, bool]]:
    rows = await ledger.read(
        lambda database: database.execute(
            "SELECT cause, project, taken_until IS NULL FROM evidence_change ORDER BY number"
        ).fetchall()
    )
    return [(cause, project, bool(free)) for cause, project, free in rows]


async def test_what_is_about_to_change_is_looked_at_though_nobody_says_that_it_did(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    await store.note(["litellm", "never-served"], "a file vanished", until=LATER)
    assert await store.take(NOON, LATER) is None
    change = await store.take(LATER, LATER + timedelta(minutes=1))
    assert change is not None
    assert (change.cause, change.project) == ("a file vanished", "litellm")


async def test_what_did_change_as_it_was_about_to_is_looked_at_once(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    await store.note(["litellm"], "a file vanished", until=LATER)
    await store.note(["litellm"], "a file vanished")
    assert await changes(ledger) == [("a file vanished", "litellm", True)]


def of_policy(digest: str, index: str = "main") -> Entry:
    return Entry(Action.POLICY_CHANGED, NOON, Actor("pinfold"), index=index, policy_digest=digest)


async def test_several_workers_announce_a_policy_once_and_all_served_in_its_index_is_looked_at(
    ledger: Database,
) -> None:
    other = replace(SERVED, project="idna", index="strict")
    await serve(ledger, SERVED, replace(SERVED, filename="litellm-1.82.9.tar.gz"), other)
    for digest in ("p", "p", "q"):
        stores = [SqliteLookBackStore(ledger) for _ in range(4)]
        await asyncio.gather(*(store.announce(of_policy(digest), "main", digest) for store in stores))
    entries = await SqliteAuditLog(ledger).search(AuditQuery(action=Action.POLICY_CHANGED, newest_first=False))
    assert [(one.entry.policy_digest, one.entry.details) for one in entries] == [("p", {}), ("q", {"before": "p"})]
    assert await changes(ledger) == [("policy.changed in index main", "litellm", True)] * 2


async def test_a_feed_is_announced_with_the_projects_that_it_concerns(ledger: Database) -> None:
    await serve(ledger, SERVED, replace(SERVED, project="idna"))
    store = SqliteLookBackStore(ledger)
    entry = Entry(Action.FEED_CHANGED, NOON, Actor("pinfold"), details={"feed": "osv"})
    assert await store.announce(entry, "osv", "a", ["idna", "never-served"])
    assert not await store.announce(entry, "osv", "a")
    assert await store.announce(entry, "osv", "b")
    cause = "feed.changed osv"
    assert await changes(ledger) == [(cause, "idna", True), (cause, "litellm", True)]


async def test_changes_wait_for_a_process_that_judges_by_the_policies_announced_last(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    await store.announce(of_policy("q"), "main", "q")
    assert await store.take(NOON, LATER, {"main": "p", "strict": "s"}) is None
    assert await store.take(NOON, LATER, {"main": "q", "strict": "s"}) is not None


async def test_where_nobody_judges_by_the_later_policy_after_all_others_look_at_changes(ledger: Database) -> None:
    await serve(ledger)
    store = SqliteLookBackStore(ledger)
    await store.announce(of_policy("q"), "main", "q")
    assert await store.take(NOON + HANDOVER - timedelta(seconds=1), LATER, {"main": "p"}) is None
    assert await store.take(NOON + HANDOVER, LATER, {"main": "p"}) is not None


async def test_another_pin_set_concerns_all_that_was_served(ledger: Database) -> None:
    await serve(ledger, SERVED, Entry(Action.PIN_IMPORT, NOON, Actor("alice"), reference="release-7"))
    assert await changes(ledger) == [("pin.import release-7", "litellm", True)]
