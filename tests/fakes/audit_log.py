"""An audit log in memory."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from tests.fakes.clock import NOON

from pinfold.audit.canonical import canonical_bytes, from_canonical, kept_text
from pinfold.domain.audit_entry import Action, Actor, Entry, Recorded
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditQuery, Tally

_REQUESTS = (Action.FILE_SERVED, Action.FILE_REFUSED, Action.FILE_BROKEN_OFF)
_IN_ENTRY = ("action", "index", "project", "version", "filename", "sha256", "decision", "rule", "reference")

SERVED = Entry(
    action=Action.FILE_SERVED,
    time=NOON,
    actor=Actor("ci-7", "192.0.2.1", "pip", "26.3", "3.12.4", ci=True, user_agent="pip/26.3"),
    index="main",
    project="litellm",
    version="1.82.8",
    filename="litellm-1.82.8-py3-none-any.whl",
    sha256="a" * 64,
    decision="allow",
)
"""A download of a release that turns out to be bad."""


class _Appended:
    def __init__(self, log: "FakeAuditLog", seq: int, entry: Entry, evidence: Evidence | None) -> None:
        self._log = log
        self._seq = seq
        self._entry = entry
        self._evidence = evidence

    async def number(self) -> int:
        return self._seq

    async def again(self, moment: datetime) -> "_Appended":
        return await self._log.append(replace(self._entry, time=moment), self._evidence)


class FakeAuditLog:
    """Keeps what was appended in `recorded`, and evidence by digest; raises `failure`, where set, at every call."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.kept: dict[str, Evidence] = {}
        self.failure: StoreError | None = None

    async def append(self, entry: Entry, evidence: Evidence | None = None) -> _Appended:
        self._may_fail()
        if evidence is not None and entry.evidence_digest is not None:
            self.kept[entry.evidence_digest] = evidence
        seq = len(self.recorded) + 1
        self.recorded.append(from_canonical(canonical_bytes(seq, entry)))
        return _Appended(self, seq, entry, evidence)

    async def search(self, query: AuditQuery) -> list[Recorded]:
        self._may_fail()
        found = [recorded for recorded in self.recorded if _matches(query, recorded)]
        if query.newest_first:
            found.reverse()
        return found[: max(query.limit, 0)]

    async def concerning(self, target: Target) -> AsyncIterator[Sequence[Recorded]]:
        self._may_fail()
        for recorded in reversed(self.recorded):
            if _names(target, recorded.entry):
                yield [recorded]

    async def tallies(self, target: Target) -> AsyncIterator[Sequence[Tally]]:
        self._may_fail()
        for recorded in self.recorded:
            entry = recorded.entry
            if _names(target, entry) and entry.action in _REQUESTS:
                file = (entry.index, entry.project, entry.version, entry.filename, entry.sha256)
                unchanged = entry.details.get("unchanged") is True
                yield [Tally(entry.action, unchanged, entry.actor, *file, 1, entry.time, entry.time)]

    async def evidence(self, digests: Collection[str]) -> dict[str, Evidence]:
        self._may_fail()
        return {digest: self.kept[digest] for digest in digests if digest in self.kept}

    async def since(self, moment: datetime) -> AsyncIterator[Sequence[Recorded]]:
        self._may_fail()
        for recorded in self.recorded:
            if recorded.entry.time >= moment:
                yield [recorded]

    async def versions(self, project: str) -> set[str]:
        self._may_fail()
        entries = (recorded.entry for recorded in self.recorded)
        return {entry.version for entry in entries if entry.project == project and entry.version is not None}

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def _names(target: Target, entry: Entry) -> bool:
    match target:
        case ProjectTarget(project):
            return entry.project == project
        case ReleaseTarget(project):
            return entry.project == project and target.admits(entry.version)
        case FileTarget(_, filename):
            return entry.filename == filename
        case HashTarget(sha256):
            return entry.sha256 == sha256


def _matches(query: AuditQuery, recorded: Recorded) -> bool:
    entry = recorded.entry
    wanted = {name: getattr(query, name) for name in _IN_ENTRY} | {"actor": query.actor, "address": query.address}
    found = {name: getattr(entry, name) for name in _IN_ENTRY}
    found |= {"actor": entry.actor.name, "address": entry.actor.address}
    return (
        all(found[name] == kept_text(text) for name, text in wanted.items() if text is not None)
        and (query.since is None or entry.time >= query.since)
        and (query.until is None or entry.time < query.until)
        and recorded.seq > query.after_seq
        and (query.before_seq is None or recorded.seq < query.before_seq)
    )
