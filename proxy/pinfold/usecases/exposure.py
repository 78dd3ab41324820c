"""Who fetched it: every client that was served a file of a target, and every one that tried."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pinfold.domain.audit_entry import Action, Actor, Entry, Recorded
from pinfold.domain.evidence import plain
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditLog

_REQUESTS = frozenset((Action.FILE_SERVED, Action.FILE_REFUSED))


class Fate(StrEnum):
    """What became of one request for a file."""

    SERVED = "served"
    UNCHANGED = "unchanged"
    """The client had the bytes already, and was told that they are still good (304)."""
    BROKEN_OFF = "broken-off"
    """It was being served, and did not arrive whole."""
    REFUSED = "refused"

    @property
    def exposed(self) -> bool:
        """Whether the client has the bytes, or some of them."""
        return self is not Fate.REFUSED


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


@dataclass
class Client:
    """What one client, by name and address, got of the files or was refused."""

    name: str
    address: str | None
    installers: set[str] = field(default_factory=set)
    ci: bool | None = None
    """Whether it said to run in CI, at least once."""
    files: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    first: datetime | None = None
    last: datetime | None = None

    @property
    def exposed(self) -> bool:
        """Whether it has the bytes of at least one file, or some of them."""
        return any(count for fate, count in self.fates.items() if fate.exposed)

    def add(self, request: Request) -> None:
        """Count one of its requests."""
        entry = request.entry
        self.fates[request.fate] += 1
        self.files.add(entry.filename or "?")
        self.indexes.add(entry.index or "?")
        self.installers.add(installer_of(entry.actor))
        self.ci = entry.actor.ci if self.ci is None else self.ci or bool(entry.actor.ci)
        self.first = min(self.first or entry.time, entry.time)
        self.last = max(self.last or entry.time, entry.time)


class Summary:
    """The requests for some targets, by client; its size grows with the clients and not with the requests."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = {target: dict.fromkeys(Fate, 0) for target in targets}
        """How often the files of each target were asked for, by what became of it."""
        self.clients: dict[tuple[str, str | None], Client] = {}

    def add(self, request: Request) -> None:
        """Count a request."""
        actor = request.entry.actor
        key = (actor.name, actor.address)
        self.clients.setdefault(key, Client(*key)).add(request)
        for target in request.targets:
            self.targets[target][request.fate] += 1

    def count(self, *, exposed: bool) -> int:
        """Return how many requests left a client with bytes of the files, or how many did not."""
        fates = [fate for fate in Fate if fate.exposed is exposed]
        return sum(client.fates[fate] for client in self.clients.values() for fate in fates)

    @property
    def exposed(self) -> list[Client]:
        """The clients that have bytes of the files, the first to get them first."""
        return self._those(exposed=True)

    @property
    def refused(self) -> list[Client]:
        """The clients that tried in vain, and have nothing."""
        return self._those(exposed=False)

    def _those(self, *, exposed: bool) -> list[Client]:
        clients = (client for client in self.clients.values() if client.exposed is exposed)
        return sorted(clients, key=lambda client: (str(client.first), client.name, client.address or ""))


class Exposure:
    """Reads from the audit log who asked for the files of targets, and what came of it. Raises StoreError."""

    def __init__(self, audit_log: AuditLog) -> None:
        self._audit_log = audit_log

    async def requests(self, targets: Iterable[Target]) -> AsyncIterator[Request]:
        """Yield every request for a file of the targets once: target by target, the newest first."""
        meaning = _Meaning(targets)
        told: set[int] = set()
        for target in meaning.targets:
            broken_off: dict[int, Recorded] = {}
            async for portion in self._audit_log.concerning(target):
                for recorded in portion:
                    # What became of a request stands in a later entry, which has therefore been seen.
                    if recorded.entry.action is Action.FILE_BROKEN_OFF:
                        broken_off[recorded.entry.details.get("served", 0)] = recorded
                    elif recorded.entry.action in _REQUESTS and recorded.seq not in told:
                        yield _request(recorded, broken_off.pop(recorded.seq, None), meaning)
                        if len(meaning.targets) > 1:
                            told.add(recorded.seq)

    async def summary(self, targets: Iterable[Target]) -> Summary:
        """Return the requests for files of the targets, counted by client."""
        targets = list(targets)
        summary = Summary(targets)
        async for request in self.requests(targets):
            summary.add(request)
        return summary


class _Meaning:
    """Which of many targets mean what an entry names, found without asking each of them."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = list(dict.fromkeys(targets))
        self._by_key: dict[tuple[str, str | None], list[Target]] = {}
        for target in self.targets:
            self._by_key.setdefault(_key(target), []).append(target)

    def of(self, entry: Entry) -> tuple[Target, ...]:
        """Return the targets that mean the file of an entry."""
        keys = (("project", entry.project), ("filename", entry.filename), ("sha256", entry.sha256))
        return tuple(
            target
            for key in keys
            for target in self._by_key.get(key, ())
            if not isinstance(target, ReleaseTarget) or target.admits(entry.version)
        )


def _key(target: Target) -> tuple[str, str | None]:
    match target:
        case ProjectTarget(project) | ReleaseTarget(project):
            return "project", project
        case FileTarget(_, filename):
            return "filename", filename
        case HashTarget(sha256):
            return "sha256", sha256


def _request(recorded: Recorded, broken_off: Recorded | None, meaning: _Meaning) -> Request:
    entry = recorded.entry
    if entry.action is Action.FILE_REFUSED:
        return Request(recorded.seq, entry, Fate.REFUSED, targets=meaning.of(entry))
    if broken_off is not None:
        return Request(recorded.seq, entry, Fate.BROKEN_OFF, broken_off.entry, meaning.of(entry))
    fate = Fate.UNCHANGED if entry.details.get("unchanged") else Fate.SERVED
    return Request(recorded.seq, entry, fate, targets=meaning.of(entry))


def installer_of(actor: Actor) -> str:
    """Return what a client calls itself, as in `pip 26.3, Python 3.12.4`."""
    if actor.installer is None:
        return actor.user_agent or "unknown"
    name = f"{actor.installer} {actor.installer_version or ''}".strip()
    return f"{name}, Python {actor.python}" if actor.python else name


def request_document(request: Request) -> dict[str, Any]:
    """Return a request as plain data, flat, with the same keys whatever became of it."""
    entry, actor, end = request.entry, request.entry.actor, request.broken_off
    return {
        "seq": request.seq,
        "time": plain(entry.time),
        "fate": request.fate.value,
        "actor": actor.name,
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


def client_document(client: Client) -> dict[str, Any]:
    """Return a client as plain data."""
    return {
        "actor": client.name,
        "address": client.address,
        "installers": sorted(client.installers),
        "ci": client.ci,
        "indexes": sorted(client.indexes),
        "files": sorted(client.files),
        "requests": {fate.value: count for fate, count in client.fates.items()},
        "first": plain(client.first),
        "last": plain(client.last),
    }
