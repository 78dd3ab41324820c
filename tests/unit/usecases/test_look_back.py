"""Looking back from changed evidence."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest
from tests.fakes.alerts import FakeLookBackStore
from tests.fakes.audit_log import FakeAuditLog
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.evidence import a_file, evidence_of

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.decision import Decision, Effect, Finding, Outcome, Verdict
from pinfold.domain.errors import UpstreamError
from pinfold.policy.engine import Policy
from pinfold.ports.look_back import ServedFile
from pinfold.usecases import look_back
from pinfold.usecases.announce import Announce
from pinfold.usecases.decide import Gate
from pinfold.usecases.indexes import Index
from pinfold.usecases.judged_files import JudgedFile
from pinfold.usecases.look_back import LEASE, MOST_ATTEMPTS, LookBack

FILE = a_file()
SERVED = ServedFile("main", "litellm", FILE.version, FILE.filename, FILE.sha256)
HELD = Verdict("quarantined", Finding(Outcome.FAIL, "steals keys"), Effect.QUARANTINE)
REFUSE, ALLOW = Decision(Effect.QUARANTINE, (HELD,), "p" * 64), Decision(Effect.ALLOW, (), "p" * 64)
POLICY = Policy("baseline", "p" * 64, ())


@dataclass
class FakeGate:
    """Decides as it is told, by file name."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    failure: UpstreamError | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def judge_file(self, index: Index, name: str, filename: str, sha256: str, **_: object) -> Any:
        self.asked.append((index.name, name, filename))
        if self.failure is not None:
            raise self.failure
        if filename not in self.decisions:
            return None
        file = a_file(filename=filename, sha256=sha256)
        return None, JudgedFile(file, partial(evidence_of, project=name), self.decisions[filename])


class Bench:
    """A use case over fakes."""

    def __init__(self) -> None:
        self.clock, self.gate, self.store, self.log = FakeClock(), FakeGate(), FakeLookBackStore(), FakeAuditLog()
        self.store.files.append(SERVED)
        self.gate.decisions[FILE.filename] = REFUSE

    def look_back(self) -> LookBack:
        indexes = {"main": Index("main", (), POLICY)}
        return LookBack(cast("Gate", self.gate), indexes, self.store, self.log, ["log", "soc"], self.clock)

    async def look(self) -> int:
        """Look until nothing is left to do; return how many changes there were."""
        count, use = 0, self.look_back()
        while await use.look_once():
            count += 1
        return count

    async def serve(self, client: str) -> None:
        await self.log.append(
            Entry(
                Action.FILE_SERVED,
                NOON,
                Actor(client, "192.0.2.1"),
                index="main",
                project="litellm",
                version=FILE.version,
                filename=FILE.filename,
                sha256=FILE.sha256,
                decision="allow",
            )
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_decision_that_changed_is_an_entry_and_an_alert_with_the_exposure(bench: Bench) -> None:
    for client in ("ci", "alice", "ci"):
        await bench.serve(client)
    bench.store.add("quarantine.add Q-1", "litellm")
    assert await bench.look() == 1
    (((changed,), alert),) = bench.store.recorded
    entry = changed.entry
    assert (entry.action, entry.decision, entry.rule) == (Action.DECISION_CHANGED, "quarantine", "quarantined")
    assert entry.evidence_digest == changed.evidence.digest()
    assert {key: entry.details[key] for key in ("from", "to", "cause", "reason")} == {
        "from": "served",
        "to": "refused",
        "cause": "quarantine.add Q-1",
        "reason": "steals keys",
    }
    assert alert.title == "litellm 1.82.8 is refused from now on (quarantined: steals keys); 2 clients already got it"
    assert alert.facts["exposure"]["requests"] == 3
    assert [client["actor"] for client in alert.facts["exposure"]["clients"]] == ["alice", "ci"]
    assert [one.receiver for one in await bench.store.outbox.pending()] == ["log", "soc"]


async def test_what_is_decided_as_before_is_no_news(bench: Bench) -> None:
    bench.gate.decisions[FILE.filename] = ALLOW
    bench.store.add("a feed", "litellm")
    assert await bench.look() == 1
    assert bench.store.recorded == []


async def test_what_is_let_go_again_is_told_too(bench: Bench) -> None:
    for decision in (REFUSE, REFUSE, ALLOW):
        bench.gate.decisions[FILE.filename] = decision
        bench.store.add("a change", "litellm")
        await bench.look()
    assert [entry.entry.details["to"] for (entry,), _ in bench.store.recorded] == ["refused", "served"]
    assert "is served again" in bench.store.recorded[1][1].title


async def test_many_files_of_a_project_are_one_alert(bench: Bench) -> None:
    for number in range(30):
        filename = f"litellm-1.{number}.tar.gz"
        bench.store.files.append(replace(SERVED, filename=filename, version=f"1.{number}", sha256=f"{number:064}"))
        bench.gate.decisions[filename] = REFUSE
    bench.store.add("quarantine.add Q-1", "litellm")
    await bench.look()
    ((changed, alert),) = bench.store.recorded
    assert len(changed) == alert.facts["files_in_all"] == 31
    assert "and 28 more is refused" in alert.title


async def test_files_of_an_index_that_is_gone_are_left_alone(bench: Bench) -> None:
    bench.store.files = [replace(SERVED, index="gone")]
    bench.store.add("a change", "litellm")
    await bench.look()
    assert bench.gate.asked == []
    assert bench.store.recorded == []


async def test_a_change_that_cannot_be_looked_at_is_kept_for_later_and_given_up_in_the_end(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.store.add("a change", "litellm")
    bench.gate.failure = UpstreamError("no answer")
    use = bench.look_back()
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(UpstreamError):
            await use.look_once()
        assert not await use.look_once()
        bench.clock.advance(LEASE)
    assert await use.look_once()
    assert "could not be judged again" in caplog.text
    assert bench.store.changes == {}


async def test_two_processes_that_look_at_the_same_file_tell_of_it_once(bench: Bench) -> None:
    bench.store.add("one", "litellm")
    bench.store.add("another", sha256=FILE.sha256)
    await asyncio.gather(bench.look_back().look_once(), bench.look_back().look_once())
    assert len(bench.store.recorded) == 1


async def test_who_judges_by_a_policy_that_is_replaced_leaves_changes_to_others(bench: Bench) -> None:
    announce = Announce(bench.store, bench.clock)
    await announce.policies({"main": Index("main", (), Policy("strict", "q" * 64, ()))})
    assert len(bench.store.changes) == 1
    assert await bench.look() == 0
    await announce.policies({"main": Index("main", (), POLICY)})
    assert await bench.look() == 2
    assert len(bench.store.recorded) == 1


async def test_it_goes_on_after_failures(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_back, "LOOK_SECONDS", 0.001)
    bench.gate.failure = UpstreamError("no answer")
    bench.store.add("a change", "litellm")
    running = asyncio.create_task(bench.look_back().run())
    async with asyncio.timeout(5):
        while not bench.gate.asked:
            await asyncio.sleep(0.001)
        bench.gate.failure = None
        bench.clock.advance(LEASE + timedelta(seconds=1))
        while not bench.store.recorded:
            await asyncio.sleep(0.001)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
