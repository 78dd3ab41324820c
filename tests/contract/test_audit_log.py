"""What every audit log keeps to, whatever it is made of."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.audit_log import FakeAuditLog
from tests.fakes.evidence import evidence_of

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.target import parse_target
from pinfold.ports.audit_log import AuditLog, AuditQuery

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
ENTRY = Entry(
    action=Action.FILE_REFUSED,
    time=NOON,
    actor=Actor("build-7", "192.0.2.1", "pip", "26.3", "3.12.4", ci=True, user_agent="pip/26.3"),
    index="main",
    project="litellm",
    version="1.82.8",
    filename="litellm-1.82.8-py3-none-any.whl",
    sha256="a" * 64,
    decision="deny",
    rule="known-malware",
    verdicts=({"rule": "known-malware", "effect": "deny", "reason": "MAL-2026-1"},),
    policy_digest="b" * 64,
    evidence_digest="c" * 64,
    reference="D-7QK2M5A",
    details={"range": [0, 1023]},
)
OTHER = Entry(action=Action.FILE_SERVED, time=NOON, actor=Actor("anonymous", "192.0.2.2"), index="strict")


@pytest.fixture(params=["sqlite", "fake"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AuditLog]:
    if request.param == "fake":
        yield FakeAuditLog()
        return
    ledger, _ = await open_ledger(tmp_path / "ledger.db", SigningKeys(tmp_path / "keys"))
    log = SqliteAuditLog(ledger)
    yield log
    await log.close()
    await ledger.close()


async def seqs(log: AuditLog, query: AuditQuery) -> list[int]:
    return [recorded.seq for recorded in await log.search(query)]


async def test_entries_are_counted_from_one(log: AuditLog) -> None:
    appended = [await log.append(replace(ENTRY, details={"n": n})) for n in range(3)]
    assert [await entry.number() for entry in appended] == [1, 2, 3]


async def test_the_same_entry_again_differs_in_its_moment_alone(log: AuditLog) -> None:
    hostile = replace(ENTRY, filename='"time":"2026-03-24T12:00:00.000000Z"', details={"a": '"time":"'})
    for entry in (ENTRY, hostile):
        first = await log.append(entry)
        again = await first.again(NOON + timedelta(seconds=1))
        last = await again.again(NOON + timedelta(seconds=2))
        found = {recorded.seq: recorded.entry for recorded in await log.search(AuditQuery(limit=3))}
        for appended, seconds in ((first, 0), (again, 1), (last, 2)):
            assert found[await appended.number()] == replace(entry, time=NOON + timedelta(seconds=seconds))
    since = AuditQuery(since=NOON + timedelta(seconds=2))
    assert len(await log.search(since)) == 2


async def test_entries_that_come_at_once_leave_no_gap(log: AuditLog) -> None:
    appended = await asyncio.gather(*(log.append(replace(ENTRY, details={"n": n})) for n in range(100)))
    numbers = [await entry.number() for entry in appended]
    assert sorted(numbers) == list(range(1, 101))
    found = await log.search(AuditQuery(limit=100))
    assert {recorded.seq: recorded.entry.details["n"] for recorded in found} == dict(
        zip(numbers, range(100), strict=True)
    )


async def test_an_entry_is_found_as_it_was_appended(log: AuditLog) -> None:
    await log.append(ENTRY)
    (found,) = await log.search(AuditQuery())
    assert (found.seq, found.entry) == (1, ENTRY)


@pytest.mark.parametrize(
    "query",
    [
        AuditQuery(action="file.refused"),
        AuditQuery(actor="build-7"),
        AuditQuery(address="192.0.2.1"),
        AuditQuery(index="main"),
        AuditQuery(project="litellm"),
        AuditQuery(version="1.82.8"),
        AuditQuery(filename="litellm-1.82.8-py3-none-any.whl"),
        AuditQuery(sha256="a" * 64),
        AuditQuery(decision="deny"),
        AuditQuery(rule="known-malware"),
        AuditQuery(reference="D-7QK2M5A"),
        AuditQuery(project="litellm", version="1.82.8", decision="deny"),
    ],
)
async def test_what_is_asked_for_is_found_and_nothing_else(log: AuditLog, query: AuditQuery) -> None:
    for entry in (OTHER, ENTRY, OTHER):
        await log.append(entry)
    assert await seqs(log, query) == [2]


async def test_every_condition_has_to_hold(log: AuditLog) -> None:
    await log.append(ENTRY)
    assert await seqs(log, AuditQuery(project="litellm", decision="allow")) == []


async def test_a_span_of_time_includes_its_beginning_and_not_its_end(log: AuditLog) -> None:
    for hours in range(4):
        await log.append(replace(ENTRY, time=NOON + timedelta(hours=hours)))
    span = AuditQuery(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=3), newest_first=False)
    assert await seqs(log, span) == [2, 3]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_show_every_entry_once_and_in_order(log: AuditLog, newest_first: bool) -> None:
    for _ in range(7):
        await log.append(ENTRY)
    seen: list[int] = []
    query = AuditQuery(newest_first=newest_first, limit=3)
    while page := await seqs(log, query):
        assert len(page) <= 3
        seen += page
        query = replace(query, before_seq=seen[-1]) if newest_first else replace(query, after_seq=seen[-1])
    assert seen == sorted(range(1, 8), reverse=newest_first)


async def test_a_span_of_numbers_includes_neither_end(log: AuditLog) -> None:
    for _ in range(7):
        await log.append(ENTRY)
    assert await seqs(log, AuditQuery(after_seq=2, before_seq=6)) == [5, 4, 3]
    assert await seqs(log, AuditQuery(after_seq=2, before_seq=6, newest_first=False, limit=2)) == [3, 4]


@pytest.mark.parametrize("limit", [0, -1])
async def test_no_number_lifts_the_limit(log: AuditLog, limit: int) -> None:
    await log.append(ENTRY)
    assert await seqs(log, AuditQuery(limit=limit)) == []


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "%", "nul\0byte", "\ud800 surrogate", "line\r\nbreak", "x" * 5000, "\u202egpj.exe"]
)
async def test_hostile_text_is_kept_and_found_as_text(log: AuditLog, text: str) -> None:
    hostile = replace(ENTRY, filename=text, actor=Actor(name=text, user_agent=text), details={text: text})
    await log.append(ENTRY)
    await log.append(hostile)
    assert await seqs(log, AuditQuery(filename=text)) == [2]
    assert await seqs(log, AuditQuery(actor=text, filename=text)) == [2]
    assert await seqs(log, AuditQuery(project=text)) == []


async def all_since(log: AuditLog, moment: datetime) -> list[int]:
    return [recorded.seq async for portion in log.since(moment) for recorded in portion]


async def test_entries_since_a_moment_come_in_order(log: AuditLog) -> None:
    for hours in (0, 1, 3, 2, 4):
        await log.append(replace(ENTRY, time=NOON + timedelta(hours=hours)))
    assert await all_since(log, NOON) == [1, 2, 3, 4, 5]
    assert await all_since(log, NOON + timedelta(hours=2)) == [3, 4, 5]
    assert await all_since(log, NOON + timedelta(hours=3)) == [3, 5]
    assert await all_since(log, NOON + timedelta(hours=5)) == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("litellm", [6, 5, 4, 3, 2]),
        ("litellm==1.82.8", [4, 2]),
        ("litellm<2", [5, 4, 3, 2]),
        ("litellm>1.82.8", [6, 5, 4]),
        ("litellm-1.82.8-py3-none-any.whl", [6, 5, 4, 3, 2]),
        (f"sha256:{'a' * 64}", [6, 5, 4, 3, 2]),
        ("absent", []),
        ("absent==1", []),
    ],
)
async def test_what_names_a_target_is_found_newest_first(log: AuditLog, target: str, expected: list[int]) -> None:
    await log.append(OTHER)
    for version in ("1.82.8", "1.82.7", None, "1.82.9", "2.0"):
        await log.append(replace(ENTRY, version=version))
    found = [recorded.seq async for portion in log.concerning(parse_target(target)) for recorded in portion]
    assert found == expected
    assert await log.versions("litellm") == {"1.82.7", "1.82.8", "1.82.9", "2.0"}


async def test_evidence_is_kept_with_the_entry_that_refers_to_it(log: AuditLog) -> None:
    evidence = evidence_of()
    entry = replace(ENTRY, evidence_digest=evidence.digest())
    for _ in range(2):
        await log.append(entry, evidence)
    assert isinstance(log, SqliteAuditLog | FakeAuditLog)
    assert await log.evidence([evidence.digest(), "0" * 64]) == {evidence.digest(): evidence}
