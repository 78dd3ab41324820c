"""Who fetched it: nobody forgotten, nobody blamed."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.audit_log import SERVED, FakeAuditLog

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite import audit_tally
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.domain.target import Target, parse_target
from pinfold.ports.audit_log import AuditLog
from pinfold.usecases.exposed_clients import Fate, Summary
from pinfold.usecases.exposure import Exposure, Request, request_document

T = TypeVar("T")

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
REFUSED = replace(
    SERVED,
    action=Action.FILE_REFUSED,
    decision="deny",
    rule="known-malware",
    verdicts=({"rule": "known-malware", "effect": "deny", "reason": "MAL-2026-1"},),
    reference="D-7QK2M5A",
)


def broken_off(served: int, sent: int = 5) -> Entry:
    return replace(
        SERVED, action=Action.FILE_BROKEN_OFF, details={"served": served, "sent": sent, "why": "the client hung up"}
    )


async def log_of(*entries: Entry) -> FakeAuditLog:
    log = FakeAuditLog()
    for entry in entries:
        await log.append(entry)
    return log


async def asked(log: AuditLog, *texts: str) -> list[Request]:
    return [request async for request in Exposure(log).requests(parse_target(text) for text in texts)]


async def test_every_request_is_told_with_what_became_of_it() -> None:
    log = await log_of(SERVED, REFUSED, SERVED, replace(SERVED, details={"unchanged": True}), broken_off(3))
    found = {request.seq: request.fate for request in await asked(log, "litellm==1.82.8")}
    assert found == {1: Fate.SERVED, 2: Fate.REFUSED, 3: Fate.BROKEN_OFF, 4: Fate.UNCHANGED}


async def test_what_did_not_arrive_whole_is_told_with_its_bytes_and_its_reason() -> None:
    (request,) = await asked(await log_of(SERVED, broken_off(1, sent=1024)), SERVED.filename)
    document = request_document(request)
    assert (document["bytes_sent"], document["broken_off"]) == (1024, "the client hung up")


async def test_a_request_is_told_with_who_asked_with_what_and_by_which_decision() -> None:
    (request,) = await asked(await log_of(REFUSED), "litellm")
    document = request_document(request)
    assert document["actor"] == "ci-7"
    assert document["address"] == "192.0.2.1"
    assert (document["installer"], document["installer_version"], document["python"]) == ("pip", "26.3", "3.12.4")
    assert document["ci"] is True
    assert (document["index"], document["decision"], document["rule"]) == ("main", "deny", "known-malware")
    assert (document["reason"], document["reference"]) == ("MAL-2026-1", "D-7QK2M5A")


async def test_administrative_acts_about_the_target_are_no_requests() -> None:
    assert await asked(await log_of(replace(SERVED, action=Action.QUARANTINE_ADD)), "litellm") == []


async def test_a_request_that_several_targets_mean_is_told_once_and_counted_for_each() -> None:
    log = await log_of(SERVED, replace(SERVED, version="1.82.9", filename="litellm-1.82.9.tar.gz"))
    targets = [parse_target(text) for text in ("litellm", "litellm==1.82.8", "sha256:" + "a" * 64)]
    summary = await Exposure(log).summary(targets)
    assert [summary.targets[target][Fate.SERVED] for target in targets] == [2, 1, 2]
    assert summary.count(exposed=True) == 2


async def test_clients_are_told_apart_by_name_and_address() -> None:
    log = await log_of(
        SERVED,
        replace(SERVED, actor=Actor("ci-7", "192.0.2.2"), time=NOON - timedelta(hours=1)),
        replace(REFUSED, actor=Actor("alice", "192.0.2.3")),
        replace(REFUSED, time=NOON + timedelta(hours=2)),
    )
    summary = await Exposure(log).summary([parse_target("litellm")])
    assert [(client.name, client.address) for client in summary.exposed] == [
        ("ci-7", "192.0.2.2"),
        ("ci-7", "192.0.2.1"),
    ]
    assert [client.name for client in summary.refused] == ["alice"]
    again = summary.exposed[1]
    assert (again.first, again.last) == (NOON, NOON + timedelta(hours=2))
    assert (again.fates[Fate.SERVED], again.fates[Fate.REFUSED]) == (1, 1)
    assert again.installers == {"pip 26.3, Python 3.12.4"}
    assert again.ci is True


def test_a_client_that_only_tried_is_not_exposed() -> None:
    summary = asyncio.run(Exposure(asyncio.run(log_of(REFUSED))).summary([parse_target("litellm")]))
    assert not summary.exposed
    assert summary.count(exposed=True) == 0


VERSIONS = ["1.82.7", "1.82.8", "1.82.9rc1", "2.0", "2.0.post1", "1!0.5", None]
PROJECTS = ["litellm", "lite-llm"]
TARGETS = st.one_of(
    st.sampled_from(PROJECTS),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(PROJECTS),
        st.sampled_from(["==", ">=", "<", "<=", "!=", "~="]),
        st.sampled_from(["1.82.8", "2.0", "1!0.5", "1.82.9rc1"]),
    ),
    st.sampled_from(["litellm==1.82.*", "litellm>=1.82.7,<2"]),
    st.sampled_from(["litellm-1.82.8.tar.gz", "lite_llm-2.0.tar.gz"]),
    st.sampled_from(["sha256:" + digit * 64 for digit in "abc"]),
).map(parse_target)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    found: list[Entry] = []
    for number in range(draw(st.integers(0, 25))):
        project, version = draw(st.sampled_from(PROJECTS)), draw(st.sampled_from(VERSIONS))
        action = draw(st.sampled_from([*Action.__members__.values()][:4]))
        found.append(
            Entry(
                action=action,
                time=NOON + timedelta(minutes=number),
                actor=Actor(draw(st.sampled_from(["ci", "alice"]))),
                project=project,
                version=version,
                filename=f"{project.replace('-', '_')}-{version or 'x'}.tar.gz",
                sha256=draw(st.sampled_from("abc")) * 64,
                details={"served": draw(st.integers(1, 25))} if action is Action.FILE_BROKEN_OFF else {},
            )
        )
    return found


@st.composite
def real_entries(draw: st.DrawFn) -> list[Entry]:
    """Entries as they come: what is broken off was served before, once, to the same client."""
    found: list[Entry] = []
    left: list[int] = []
    for seq, drawn in enumerate(draw(entries()), start=1):
        entry = drawn
        if drawn.action is Action.FILE_BROKEN_OFF and left:
            served = left.pop(draw(st.integers(0, len(left) - 1)))
            entry = replace(found[served - 1], action=drawn.action, time=drawn.time, details={"served": served})
        elif drawn.action is Action.FILE_BROKEN_OFF:
            entry = replace(drawn, action=Action.FILE_SERVED, details={"unchanged": True})
        elif drawn.action is Action.FILE_SERVED:
            left.append(seq)
        found.append(entry)
    return found


def naively(log: list[Entry], targets: list[Target]) -> dict[int, Action]:
    """Look at every entry, as the answer is defined."""
    numbered = dict(enumerate(log, start=1))

    def meant(entry: Entry) -> bool:
        file = File(entry.filename or "", "", entry.sha256 or "", FileKind.SDIST, entry.version)
        return any(target.covers(entry.project or "", file) for target in targets)

    return {
        seq: entry.action
        for seq, entry in numbered.items()
        if entry.action in (Action.FILE_SERVED, Action.FILE_REFUSED) and meant(entry)
    }


async def with_log(kind: str, log: list[Entry], ask: Callable[[AuditLog], Awaitable[T]]) -> T:
    if kind == "fake":
        return await ask(await log_of(*log))
    with tempfile.TemporaryDirectory() as folder:
        ledger, _ = await open_ledger(Path(folder) / "ledger.db", SigningKeys(Path(folder) / "keys"))
        audit_log = SqliteAuditLog(ledger)
        try:
            await asyncio.gather(*(audit_log.append(entry) for entry in log))
            return await ask(audit_log)
        finally:
            await audit_log.close()
            await ledger.close()


@pytest.mark.parametrize("kind", ["sqlite", "fake"])
@given(log=entries(), targets=st.lists(TARGETS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_exposure_is_what_a_look_at_every_entry_finds(kind: str, log: list[Entry], targets: list[Target]) -> None:
    async def ask(audit_log: AuditLog) -> list[Request]:
        return [request async for request in Exposure(audit_log).requests(targets)]

    requests = asyncio.run(with_log(kind, log, ask))
    assert len(requests) == len({request.seq for request in requests})
    assert {request.seq: request.entry.action for request in requests} == naively(log, targets)
    for request in requests:
        assert request.entry.action is Action.FILE_REFUSED or request.fate.exposed
        assert (request.broken_off is not None) == (request.fate is Fate.BROKEN_OFF)


@pytest.mark.parametrize("kind", ["sqlite", "fake"])
@pytest.mark.parametrize("portion", [1, 3, audit_tally.PORTION])
@given(log=real_entries(), targets=st.lists(TARGETS, min_size=1, max_size=4, unique=True))
@settings(max_examples=20, deadline=None)
def test_what_is_counted_in_the_store_is_what_single_requests_come_to(
    kind: str, portion: int, log: list[Entry], targets: list[Target]
) -> None:
    async def ask(audit_log: AuditLog) -> tuple[list[Request], Summary]:
        use = Exposure(audit_log)
        return [request async for request in use.requests(targets)], await use.summary(targets)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_tally, "PORTION", portion)
        requests, summary = asyncio.run(with_log(kind, log, ask))
    for fate in Fate:
        for target in targets:
            assert summary.targets[target][fate] == sum(
                target in request.targets for request in requests if request.fate is fate
            )
        for (name, _, address), client in summary.clients.items():
            theirs = [one for one in requests if (one.entry.actor.name, one.entry.actor.address) == (name, address)]
            assert client.fates[fate] == sum(request.fate is fate for request in theirs)
            got = {request.entry.filename for request in theirs if request.fate.exposed}
            assert client.files == got
            assert client.files | client.refused_files == {request.entry.filename for request in theirs}
            assert (client.first, client.last) == (
                min(one.entry.time for one in theirs),
                max(one.entry.time for one in theirs),
            )
