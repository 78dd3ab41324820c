"""What a candidate policy would have decided."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.audit_log import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.evidence import UPLOADED, a_file, evidence_of
from tests.fakes.records import FakeRecordStore

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence, Known, Unknown
from pinfold.domain.inspection import Inspection, Kind, Observation
from pinfold.domain.records import Waiver
from pinfold.domain.target import ProjectTarget, ReleaseTarget
from pinfold.policy.document import parse_policy
from pinfold.ports.audit_log import AuditLog
from pinfold.usecases.replay import Direction, Replay, ReplayPolicy, replay_document

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
THREE_DAYS = parse_policy('[[rule]]\nid = "minimum-age"\nparams = {days = 3}\n', "candidate.toml")


@pytest.fixture
def log() -> FakeAuditLog:
    return FakeAuditLog()


@pytest.fixture
def records() -> FakeRecordStore:
    return FakeRecordStore(FakeClock())


async def asked(
    log: AuditLog, age: timedelta, evidence: Evidence | None = None, client: str = "ci", **fields: object
) -> None:
    """A file was asked for at some age, and served unless `fields` say otherwise."""
    evidence = evidence or evidence_of()
    entry = Entry(
        action=Action.FILE_SERVED,
        time=UPLOADED + age,
        actor=Actor(client, "192.0.2.1"),
        index="main",
        project=evidence.project,
        version=evidence.file.version,
        filename=evidence.file.filename,
        sha256=evidence.file.sha256,
        decision="allow",
        evidence_digest=evidence.digest(),
    )
    await log.append(replace(entry, **fields), evidence)  # type: ignore[arg-type]


async def replayed(log: FakeAuditLog, records: FakeRecordStore, index: str | None = None) -> Replay:
    return await ReplayPolicy(log, log, records).run(THREE_DAYS, BEGINNING, index)


def refused(replay: Replay) -> list[tuple[str, int]]:
    return [(change.rule, asked.requests) for change, asked in replay.of(Direction.REFUSE)]


async def test_each_request_is_judged_at_its_own_moment(log: FakeAuditLog, records: FakeRecordStore) -> None:
    for age in (HOUR, 2 * DAY, 3 * DAY, 5 * DAY, 2 * HOUR):
        await asked(log, age)
    replay = await replayed(log, records)
    assert replay.judged == 5
    assert refused(replay) == [("minimum-age", 3)]
    ((_, what),) = replay.of(Direction.REFUSE)
    assert (what.first, what.last) == (UPLOADED + HOUR, UPLOADED + 2 * DAY)


async def test_a_change_tells_for_whom(log: FakeAuditLog, records: FakeRecordStore) -> None:
    for client in ("ci", "alice", "ci"):
        await asked(log, HOUR, client=client)
    ((_, what),) = (await replayed(log, records)).of(Direction.REFUSE)
    assert what.clients == {("ci", "192.0.2.1"), ("alice", "192.0.2.1")}


async def test_what_was_refused_and_would_be_served_is_told_the_other_way_round(
    log: FakeAuditLog, records: FakeRecordStore
) -> None:
    verdicts = ({"rule": "file-type", "reason": "no sdists here"},)
    await asked(log, 5 * DAY, action=Action.FILE_REFUSED, decision="deny", rule="file-type", verdicts=verdicts)
    replay = await replayed(log, records)
    ((change, what),) = replay.of(Direction.SERVE)
    assert (change.rule, what.reason) == ("file-type", "no sdists here")
    assert not replay.of(Direction.REFUSE)


async def test_what_would_be_decided_alike_is_no_change(log: FakeAuditLog, records: FakeRecordStore) -> None:
    await asked(log, HOUR, action=Action.FILE_REFUSED, decision="quarantine", rule="hash-changed")
    await asked(log, 4 * DAY)
    assert not (await replayed(log, records)).changes


async def test_only_requests_of_the_index_and_the_time_count(log: FakeAuditLog, records: FakeRecordStore) -> None:
    await asked(log, HOUR)
    await asked(log, HOUR, index="strict")
    await asked(log, HOUR, action=Action.FILE_BROKEN_OFF)
    await asked(log, -100 * DAY)
    replay = await replayed(log, records, "strict")
    assert (replay.judged, [change.index for change in replay.changes]) == (1, ["strict"])
    assert (await replayed(log, records)).judged == 2


async def test_requests_without_evidence_are_told_and_not_guessed(log: FakeAuditLog, records: FakeRecordStore) -> None:
    await asked(log, HOUR)
    await asked(log, HOUR, evidence_digest=None)
    log.kept.clear()
    replay = await replayed(log, records)
    assert (replay.judged, replay.without_evidence, replay.changes) == (0, 2, {})


async def test_refusals_for_want_of_evidence_are_marked(log: FakeAuditLog, records: FakeRecordStore) -> None:
    await asked(log, HOUR, evidence_of(a_file(upload_time=None), sighting=Unknown("never seen")))
    ((_, what),) = (await replayed(log, records)).of(Direction.REFUSE)
    assert what.on_unknown


@pytest.mark.parametrize(
    ("created", "expires", "revoked", "refusals"),
    [
        (timedelta(0), DAY, None, 0),
        (2 * HOUR, DAY, None, 1),
        (timedelta(0), HOUR, None, 1),
        (timedelta(0), DAY, 30 * timedelta(minutes=1), 1),
        (timedelta(0), DAY, 2 * HOUR, 0),
    ],
)
async def test_waivers_count_that_were_in_force_at_the_moment(
    log: FakeAuditLog,
    records: FakeRecordStore,
    created: timedelta,
    expires: timedelta,
    revoked: timedelta | None,
    refusals: int,
) -> None:
    waiver = Waiver(
        id="W-1",
        target=ProjectTarget("litellm"),
        rule="minimum-age",
        reason="r",
        created_by="alice",
        created_at=UPLOADED + created,
        expires_at=UPLOADED + expires,
        revoked_at=None if revoked is None else UPLOADED + revoked,
    )
    await records.add_waiver(waiver, Entry(Action.WAIVER_ADD, UPLOADED, Actor()))
    await asked(log, HOUR)
    assert len((await replayed(log, records)).changes) == refusals


async def test_no_waiver_of_a_release_lets_a_file_without_a_version_go(
    log: FakeAuditLog, records: FakeRecordStore
) -> None:
    target = ReleaseTarget("litellm", "==1.82.8")
    waiver = Waiver("W-1", target, "minimum-age", "r", "alice", UPLOADED - DAY, UPLOADED + DAY)
    await records.add_waiver(waiver, Entry(Action.WAIVER_ADD, UPLOADED, Actor()))
    await asked(log, HOUR, evidence_of(a_file(version=None)))
    assert len((await replayed(log, records)).changes) == 1


async def test_replays_of_one_history_are_the_same_document(log: FakeAuditLog, records: FakeRecordStore) -> None:
    for number in range(20):
        await asked(log, number * 6 * HOUR, client=f"ci-{number % 3}")
    documents = [replay_document(await replayed(log, records)) for _ in range(2)]
    assert documents[0] == documents[1]
    assert documents[0]["changes"][0]["requests"] == 12


async def test_evidence_that_was_tampered_with_is_an_error_and_no_answer(
    tmp_path: Path, records: FakeRecordStore
) -> None:
    ledger, _ = await open_ledger(tmp_path / "ledger.db", SigningKeys(tmp_path / "keys"))
    log = SqliteAuditLog(ledger)
    await asked(log, HOUR)
    await asked(log, HOUR, other := evidence_of(a_file(filename="litellm-1.82.8.tar.gz")))
    assert len((await ReplayPolicy(log, log, records).run(THREE_DAYS, BEGINNING)).changes) == 2
    await ledger.write(
        lambda database: database.execute(
            "UPDATE evidence SET parts = (SELECT parts FROM evidence WHERE digest != ?) WHERE digest = ?",
            [bytes.fromhex(other.digest())] * 2,
        )
    )
    with pytest.raises(StoreError, match="another digest"):
        await ReplayPolicy(log, log, records).run(THREE_DAYS, BEGINNING)
    await log.close()
    await ledger.close()


CONTENTS = parse_policy('[[rule]]\nid = "contents"\n', "candidate.toml")
STREAMED = evidence_of(inspection=Unknown("not inspected yet"))
HOOK = Observation(Kind.NEW_START_UP_HOOK, "litellm_init.pth")
SOUND, HOOKED = (evidence_of(inspection=Known(Inspection(inspector=1, news=news))) for news in ((), (HOOK,)))


async def inspected_later(log: FakeAuditLog, action: Action, evidence: Evidence) -> Replay:
    """A file is inspected while it is being served for the first time, and once more when it was."""
    await asked(log, HOUR, STREAMED)
    await asked(log, HOUR, evidence, action=action, details={"served": 1}, decision="deny", rule="contents")
    return await ReplayPolicy(log, log, FakeRecordStore(FakeClock())).run(CONTENTS, BEGINNING)


async def test_what_was_inspected_while_it_was_served_is_judged_by_what_was_found(log: FakeAuditLog) -> None:
    replay = await inspected_later(log, Action.FILE_VOUCHED, SOUND)
    assert (replay.judged, replay.changes) == (1, {})


async def test_a_candidate_that_sees_more_would_have_refused_what_was_vouched_for(log: FakeAuditLog) -> None:
    replay = await inspected_later(log, Action.FILE_VOUCHED, HOOKED)
    assert refused(replay) == [("contents", 1)]
    ((_, what),) = replay.of(Direction.REFUSE)
    assert not what.on_unknown


async def test_what_was_refused_before_it_was_served_to_its_end_is_one_request(log: FakeAuditLog) -> None:
    replay = await inspected_later(log, Action.FILE_REFUSED, HOOKED)
    assert (replay.judged, replay.changes) == (1, {})


async def test_what_never_was_inspected_since_the_client_hung_up_was_not_refused_for_it(
    log: FakeAuditLog, records: FakeRecordStore
) -> None:
    await asked(log, HOUR, STREAMED)
    await asked(log, HOUR, STREAMED, action=Action.FILE_REFUSED, rule="contents")
    replay = await ReplayPolicy(log, log, records).run(CONTENTS, BEGINNING)
    assert (replay.judged, replay.changes) == (2, {})
