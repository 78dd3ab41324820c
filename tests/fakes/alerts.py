"""Receivers of alerts, an outbox and looking back's memory, all without a store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pinfold.domain.alert import Alert
from pinfold.domain.audit_entry import Action, Entry
from pinfold.ports.alerts import Delivery, NotDelivered
from pinfold.ports.look_back import HANDOVER, ChangedDecision, EvidenceChange, ServedFile


class FakeReceiver:
    """Keeps what it takes in `taken`; fails as long as `failures` has reasons to."""

    def __init__(self, name: str = "soc") -> None:
        self.name = name
        self.taken: list[Alert] = []
        self.failures: list[str] = []

    async def send(self, alert: Alert) -> None:
        if self.failures:
            raise NotDelivered(self.failures.pop(0))
        self.taken.append(alert)


class FakeOutbox:
    """Keeps deliveries in `deliveries`."""

    def __init__(self) -> None:
        self.deliveries: dict[int, Delivery] = {}
        self._last = 0

    async def put(self, alert: Alert, receivers: Collection[str]) -> None:
        for receiver in receivers:
            self._last += 1
            self.deliveries[self._last] = Delivery(self._last, receiver, alert, 0, alert.time)

    async def take(self, receiver: str, at: datetime, until: datetime) -> Delivery | None:
        due = (one for one in self.deliveries.values() if one.receiver == receiver and not one.dead)
        first = min((one for one in due if one.next_at <= at), key=lambda one: (one.next_at, one.number), default=None)
        if first is None:
            return None
        taken = replace(first, attempts=first.attempts + 1, next_at=until)
        self.deliveries[first.number] = taken
        return taken

    async def delivered(self, number: int) -> None:
        del self.deliveries[number]

    async def failed(self, number: int, error: str, next_at: datetime, *, dead: bool) -> None:
        self.deliveries[number] = replace(self.deliveries[number], error=error, next_at=next_at, dead=dead)

    async def pending(self) -> list[Delivery]:
        return list(self.deliveries.values())

    async def retry(self, alert_id: str | None, at: datetime) -> int:
        revived = [one for one in self.deliveries.values() if one.dead and alert_id in (None, one.alert.id)]
        for one in revived:
            self.deliveries[one.number] = replace(one, dead=False, attempts=0, next_at=at)
        return len(revived)


class FakeLookBackStore:
    """Keeps `files` that were served, `changes`, what was `recorded`, and the `entries` that were announced."""

    def __init__(self, outbox: FakeOutbox | None = None) -> None:
        self.files: list[ServedFile] = []
        self.changes: dict[int, EvidenceChange] = {}
        self.recorded: list[tuple[list[ChangedDecision], Alert]] = []
        self.entries: list[Entry] = []
        self.announced: dict[tuple[str, str], str] = {}
        self.outbox = outbox or FakeOutbox()
        self._taken: dict[int, datetime] = {}
        self._last = 0

    def add(self, cause: str, project: str | None = None, sha256: str | None = None) -> None:
        self._last += 1
        self.changes[self._last] = EvidenceChange(self._last, cause, project, sha256=sha256, attempts=0)

    async def note(self, projects: Collection[str] | None, cause: str, *, until: datetime | None = None) -> None:
        known = {file.project for file in self.files}
        for project in sorted(known if projects is None else known & set(projects)):
            if until is None:
                self._forget_intent(cause, project)
            self.add(cause, project)
            if until is not None:
                self._taken[self._last] = until

    async def announce(self, entry: Entry, name: str, value: str, projects: Collection[str] | None = None) -> bool:
        last = self.announced.get((entry.action, name))
        if last == value:
            return False
        self.announced[entry.action, name] = value
        self.entries.append(replace(entry, details=entry.details | ({"before": last} if last else {})))
        await self.note(projects, f"{entry.action} {name}")
        return True

    async def take(
        self, at: datetime, until: datetime, policies: Mapping[str, str] | None = None
    ) -> EvidenceChange | None:
        recent = {entry.index for entry in self.entries if entry.time > at - HANDOVER}
        mine = {(Action.POLICY_CHANGED, index): digest for index, digest in (policies or {}).items() if index in recent}
        if any(self.announced.get(key, digest) != digest for key, digest in mine.items()):
            return None
        for number, change in sorted(self.changes.items()):
            if number not in self._taken or self._taken[number] <= at:
                self._taken[number] = until
                self.changes[number] = replace(change, attempts=change.attempts + 1)
                return self.changes[number]
        return None

    def _forget_intent(self, cause: str, project: str) -> None:
        for number, change in list(self.changes.items()):
            if (change.cause, change.project, change.attempts) == (cause, project, 0) and number in self._taken:
                del self.changes[number]

    async def settle(self, number: int) -> None:
        del self.changes[number]

    async def served(self, change: EvidenceChange) -> list[ServedFile]:
        return [file for file in self.files if change.sha256 == file.sha256 or change.project == file.project]

    async def record(self, changed: Sequence[ChangedDecision], alert: Alert, receivers: Collection[str]) -> bool:
        if not all(one.file in self.files for one in changed):
            return False
        for one in changed:
            self.files[self.files.index(one.file)] = replace(one.file, refused=not one.file.refused)
        self.recorded.append((list(changed), alert))
        await self.outbox.put(alert, receivers)
        return True
