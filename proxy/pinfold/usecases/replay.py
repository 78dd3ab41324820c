"""What another policy would have decided of everything that was really asked for, on the evidence of those days."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pinfold.domain.audit_entry import Action, Entry
from pinfold.domain.decision import Decision, Outcome
from pinfold.domain.evidence import NOT_ASKED_FOR, Evidence, Need, Unknown, plain
from pinfold.domain.records import Records, Waiver
from pinfold.policy import engine
from pinfold.policy.engine import Policy, ProjectRules
from pinfold.ports.audit_log import AuditLog, AuditQuery
from pinfold.ports.evidence_store import EvidenceStore
from pinfold.ports.records import RecordStore
from pinfold.usecases.lru import Lru

_REQUESTS = frozenset((Action.FILE_SERVED, Action.FILE_REFUSED))
_VOUCHED = Action.FILE_VOUCHED
PIECES_IN_MEMORY = 20_000
PAGE = 1_000


class Direction(StrEnum):
    """How a decision would have been another."""

    REFUSE = "refuse"
    """The file was served, and the candidate would have refused it."""
    SERVE = "serve"
    """The file was refused, and the candidate would have served it."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that the candidate would have decided otherwise, by one rule."""

    direction: Direction
    index: str
    project: str
    version: str | None
    filename: str
    sha256: str
    rule: str
    """The candidate's rule that refuses, or the rule that refused in its day."""


@dataclass
class Asked:
    """How often, when and by whom it was asked for."""

    reason: str = ""
    """The rule's reason at the last time."""
    on_unknown: bool = False
    """The rule refuses for want of evidence, which may only not have been gathered under the policy of the day."""
    requests: int = 0
    clients: set[tuple[str, str | None]] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None


@dataclass
class Replay:
    """What came of it."""

    policy: Policy
    since: datetime
    judged: int = 0
    """Requests that were judged again."""
    without_evidence: int = 0
    """Requests whose evidence is not kept: they are older than its keeping."""
    changes: dict[FileChange, Asked] = field(default_factory=dict)

    def of(self, direction: Direction) -> list[tuple[FileChange, Asked]]:
        """Return the changes in one direction, the most wanted files first."""
        found = [(change, asked) for change, asked in self.changes.items() if change.direction is direction]
        return sorted(found, key=lambda one: (-one[1].requests, one[0].filename, one[0].index))


class ReplayPolicy:
    """Judges recorded requests by a candidate, each at its own moment; asks no upstream.

    A decision depends on policy, evidence, waivers and moment alone, so that equal ones are made once.
    """

    def __init__(self, audit_log: AuditLog, evidence: EvidenceStore, records: RecordStore) -> None:
        self._audit_log = audit_log
        self._evidence = evidence
        self._records = records

    async def run(self, policy: Policy, since: datetime, index: str | None = None) -> Replay:
        """Replay everything since a moment, in one index or in all; raises StoreError."""
        replay = Replay(policy, since)
        judge = _Judge(policy, await self._records.waiver_history())
        settled = await self._settled(since)
        async for portion in self._requests(since, index, settled):
            wanted = {entry.evidence_digest for entry in portion if entry.evidence_digest is not None}
            judge.learn(await self._evidence.evidence(judge.unknown(wanted)))
            await asyncio.to_thread(_judge_portion, judge, portion, replay)
        return replay

    async def _requests(
        self, since: datetime, index: str | None, settled: Mapping[int, Entry]
    ) -> AsyncIterator[list[Entry]]:
        """Yield what was asked for, with the evidence that it was decided on in the end."""
        async for portion in self._audit_log.since(since):
            found = []
            for seq, entry in ((recorded.seq, recorded.entry) for recorded in portion):
                end = settled.get(seq, entry)
                # What was refused in the end is told by the entry that says so.
                if (
                    entry.action in _REQUESTS
                    and index in (None, entry.index)
                    and end.action in (entry.action, _VOUCHED)
                ):
                    found.append(replace(entry, evidence_digest=end.evidence_digest))
            yield found

    async def _settled(self, since: datetime) -> dict[int, Entry]:
        """Return how files were decided on while they were being served, by the numbers of the entries about that."""
        settled: dict[int, Entry] = {}
        for action in (_VOUCHED, Action.FILE_REFUSED):
            last = 0
            while found := await self._audit_log.search(_page_of(action, since, last)):
                last = found[-1].seq
                settled |= {one.entry.details["served"]: one.entry for one in found if "served" in one.entry.details}
        return settled


def _page_of(action: Action, since: datetime, last: int) -> AuditQuery:
    return AuditQuery(action=action, since=since, after_seq=last, newest_first=False, limit=PAGE)


def _judge_portion(judge: "_Judge", portion: Sequence[Entry], replay: Replay) -> None:
    for entry in portion:
        decision = judge.decide(entry)
        if decision is None:
            replay.without_evidence += 1
            continue
        replay.judged += 1
        if decision.refused != (entry.action is Action.FILE_REFUSED):
            _note(entry, decision, replay)


def _note(entry: Entry, decision: Decision, replay: Replay) -> None:
    deciding = decision.deciding if decision.refused else None
    rule = deciding.rule if deciding else entry.rule or "-"
    change = FileChange(
        Direction.REFUSE if decision.refused else Direction.SERVE,
        entry.index or "",
        entry.project or "",
        entry.version,
        entry.filename or "",
        entry.sha256 or "",
        rule,
    )
    asked = replay.changes.setdefault(change, Asked())
    asked.requests += 1
    asked.clients.add((entry.actor.name, entry.actor.address))
    asked.first = min(asked.first or entry.time, entry.time)
    asked.last = max(asked.last or entry.time, entry.time)
    if deciding is not None:
        asked.reason = deciding.finding.reason
        asked.on_unknown = deciding.finding.outcome is Outcome.UNKNOWN
    else:
        asked.reason = next((str(one.get("reason", "")) for one in entry.verdicts if one.get("rule") == rule), "")


@dataclass
class _Piece:
    """Some evidence, and what was decided on it so far."""

    evidence: Evidence
    decided: dict[tuple[object, ...], list[tuple[datetime, Decision]]] = field(default_factory=dict)
    """By what was still awaited and the waivers in force, with the moments of asking."""


def _awaited(entry: Entry, evidence: Evidence) -> frozenset[Need]:
    """Return what was still to be found out when a file began to be served, and never was, or not for this request."""
    pending = isinstance(evidence.inspection, Unknown) and evidence.inspection != NOT_ASKED_FOR
    return frozenset({Need.INSPECTION}) if pending and entry.action is Action.FILE_SERVED else frozenset()


class _Judge:
    """Makes each decision once for as long as it stands."""

    def __init__(self, policy: Policy, waivers: Iterable[Waiver]) -> None:
        self._policy = policy
        self._waivers = tuple(waivers)
        self._pieces: Lru[str, _Piece] = Lru(PIECES_IN_MEMORY)
        self._rules: Lru[str, ProjectRules] = Lru(PIECES_IN_MEMORY)

    def unknown(self, digests: Iterable[str]) -> list[str]:
        """Return the digests whose evidence is not at hand."""
        return [digest for digest in digests if self._pieces.get(digest) is None]

    def learn(self, evidence: dict[str, Evidence]) -> None:
        """Take evidence to hand."""
        for digest, one in evidence.items():
            self._pieces.put(digest, _Piece(one), 1)

    def decide(self, entry: Entry) -> Decision | None:
        """Return what the candidate decides of a request at its moment; None without evidence."""
        piece = self._pieces.get(entry.evidence_digest) if entry.evidence_digest else None
        if piece is None:
            return None
        waivers = self._in_force(piece.evidence, entry.time)
        awaited = _awaited(entry, piece.evidence)
        decided = piece.decided.setdefault((awaited, *(waiver.id for waiver in waivers)), [])
        for since, decision in decided:
            if since <= entry.time and (decision.changes_at is None or entry.time < decision.changes_at):
                return decision
        rules = self._rules_for(piece.evidence.project)
        decision = engine.decide(rules, piece.evidence, waivers, entry.time, awaited=awaited)
        decided.append((entry.time, decision))
        return decision

    def _in_force(self, evidence: Evidence, at: datetime) -> tuple[Waiver, ...]:
        standing = tuple(
            # One that was revoked later was in force all the same.
            replace(waiver, revoked_at=None)
            for waiver in self._waivers
            if waiver.created_at <= at < min(waiver.expires_at, waiver.revoked_at or waiver.expires_at)
        )
        return Records(0, waivers=standing).waivers_of(evidence.project, evidence.file) if standing else ()

    def _rules_for(self, project: str) -> ProjectRules:
        rules = self._rules.get(project)
        if rules is None:
            rules = self._policy.for_project(project)
            self._rules.put(project, rules, 1)
        return rules


def replay_document(replay: Replay) -> dict[str, Any]:
    """Return a replay as plain data."""
    return {
        "policy": {"name": replay.policy.name, "digest": replay.policy.digest},
        "since": plain(replay.since),
        "judged": replay.judged,
        "without_evidence": replay.without_evidence,
        "changes": [
            {
                **_file(change),
                "reason": asked.reason,
                "on_unknown": asked.on_unknown,
                "requests": asked.requests,
                "clients": [
                    {"actor": name, "address": address}
                    for name, address in sorted(asked.clients, key=lambda client: (client[0], client[1] or ""))
                ],
                "first": plain(asked.first),
                "last": plain(asked.last),
            }
            for direction in Direction
            for change, asked in replay.of(direction)
        ],
    }


def _file(change: FileChange) -> dict[str, Any]:
    return {name: plain(getattr(change, name)) for name in change.__dataclass_fields__}
