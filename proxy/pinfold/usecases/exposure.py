"""Who fetched it: every client that was served a file of a target, and every one that tried."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pinfold.domain.audit_entry import Action, Entry, Recorded
from pinfold.domain.evidence import plain
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditLog, Tally
from pinfold.usecases.exposed_clients import Fate, Summary

FILES_IN_MEMORY = 10_000
_REQUESTS = frozenset((Action.FILE_SERVED, Action.FILE_REFUSED))

Progress = Callable[[int], None]
"""Told how many requests were counted so far."""


def nobody_watches(_counted: int) -> None:
    """Let progress pass."""


@dataclass(frozen=True, slots=True)
class Request:
    """One time that a client asked for a file of a target."""

    seq: int
    """The number of its audit entry."""
    entry: Entry
    fate: Fate
    broken_off: Entry | None = None
    """What says how the transfer ended, where the file did not arrive whole."""
    targets: tuple[Target, ...] = ()
    """Which of the targets mean the file."""

    @property
    def reason(self) -> str | None:
        """Why it was refused, or what it was warned of."""
        entry = self.entry
        return next((verdict.get("reason") for verdict in entry.verdicts if verdict.get("rule") == entry.rule), None)


class Exposure:
    """Reads from the audit log who asked for the files of targets, and what came of it. Raises StoreError."""

    def __init__(self, audit_log: AuditLog) -> None:
        self._audit_log = audit_log

    async def requests(self, targets: Iterable[Target]) -> AsyncIterator[Request]:
        """Yield every request for a file of the targets once: target by target, the newest first."""
        meaning, earlier = _Meaning(targets), set[Target]()
        for target in meaning.targets:
            broken_off: dict[int, Recorded] = {}
            async for portion in self._audit_log.concerning(target):
                for recorded in portion:
                    # What became of a request stands in a later entry, which has therefore been seen.
                    if recorded.entry.action is Action.FILE_BROKEN_OFF:
                        broken_off[recorded.entry.details.get("served", 0)] = recorded
                    elif recorded.entry.action in _REQUESTS:
                        meant = meaning.of(recorded.entry)
                        # A file that several targets mean is met with each of them, always with all of its requests.
                        if earlier.isdisjoint(meant):
                            yield _request(recorded, broken_off.pop(recorded.seq, None), meant)
            earlier.add(target)

    async def summary(self, targets: Iterable[Target], progress: Progress = nobody_watches) -> Summary:
        """Return the requests for files of the targets, counted by client; `progress` is told how many so far."""
        meaning, earlier = _Meaning(targets), set[Target]()
        summary, counted = Summary(meaning.targets), 0
        for target in meaning.targets:
            async for portion in self._audit_log.tallies(target):
                for tally in portion:
                    meant = meaning.of(tally)
                    if earlier.isdisjoint(meant):
                        summary.add(tally, meant)
                        counted += tally.count
                progress(counted)
            earlier.add(target)
        return summary


class _Meaning:
    """Which of many targets mean what an entry names, found without asking each of them, and for each file once."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = list(dict.fromkeys(targets))
        self._by_key: dict[tuple[str, str | None], list[Target]] = {}
        for target in self.targets:
            self._by_key.setdefault(_key(target), []).append(target)
        self._of_file = lru_cache(FILES_IN_MEMORY)(self._find)

    def of(self, asked: Entry | Tally) -> tuple[Target, ...]:
        """Return the targets that mean the file that was asked for."""
        return self._of_file(asked.project, asked.version, asked.filename, asked.sha256)

    def _find(
        self, project: str | None, version: str | None, filename: str | None, sha256: str | None
    ) -> tuple[Target, ...]:
        return tuple(
            target
            for key in (("project", project), ("filename", filename), ("sha256", sha256))
            for target in self._by_key.get(key, ())
            if not isinstance(target, ReleaseTarget) or target.admits(version)
        )


def _key(target: Target) -> tuple[str, str | None]:
    match target:
        case ProjectTarget(project) | ReleaseTarget(project):
            return "project", project
        case FileTarget(_, filename):
            return "filename", filename
        case HashTarget(sha256):
            return "sha256", sha256


def _request(recorded: Recorded, broken_off: Recorded | None, targets: tuple[Target, ...]) -> Request:
    entry = recorded.entry
    if entry.action is Action.FILE_REFUSED:
        return Request(recorded.seq, entry, Fate.REFUSED, targets=targets)
    if broken_off is not None:
        return Request(recorded.seq, entry, Fate.BROKEN_OFF, broken_off.entry, targets)
    fate = Fate.UNCHANGED if entry.details.get("unchanged") else Fate.SERVED
    return Request(recorded.seq, entry, fate, targets=targets)


def request_document(request: Request) -> dict[str, Any]:
    """Return a request as plain data, flat, with the same keys whatever became of it."""
    entry, actor, end = request.entry, request.entry.actor, request.broken_off
    return {
        "seq": request.seq,
        "time": plain(entry.time),
        "fate": request.fate.value,
        "actor": actor.name,
        "token": actor.token,
        "address": actor.address,
        "installer": actor.installer,
        "installer_version": actor.installer_version,
        "python": actor.python,
        "ci": actor.ci,
        "user_agent": actor.user_agent,
        "index": entry.index,
        "project": entry.project,
        "version": entry.version,
        "filename": entry.filename,
        "sha256": entry.sha256,
        "decision": entry.decision,
        "rule": entry.rule,
        "reason": request.reason,
        "reference": entry.reference,
        "policy_digest": entry.policy_digest,
        "evidence_digest": entry.evidence_digest,
        "method": entry.details.get("method", "GET"),
        "part": entry.details.get("part"),
        "bytes_sent": end.details.get("sent") if end else None,
        "broken_off": end.details.get("why") if end else None,
        "targets": [str(target) for target in request.targets],
    }
