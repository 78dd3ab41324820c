"""Who was served the files of some targets, and who tried in vain: requests counted by client."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.evidence import plain
from pinfold.domain.target import Target
from pinfold.ports.audit_log import Tally


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


class Fates:
    """How many requests met which fate."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Fate, 0)

    def add(self, tally: Tally) -> None:
        """Count requests, or those among the served ones that were broken off."""
        self._counts[_fate(tally)] += tally.count

    def __getitem__(self, fate: Fate) -> int:
        # What tells of the beginning may have been pruned from the log, and what tells of the end not yet.
        broken_off = min(self._counts[Fate.BROKEN_OFF], self._counts[Fate.SERVED])
        match fate:
            case Fate.SERVED:
                return self._counts[fate] - broken_off
            case Fate.BROKEN_OFF:
                return broken_off
            case _:
                return self._counts[fate]

    def count(self, *, exposed: bool) -> int:
        """Return how many requests left a client with bytes, or how many did not."""
        return sum(self[fate] for fate in Fate if fate.exposed is exposed)

    def document(self) -> dict[str, int]:
        """Return the counts as plain data."""
        return {fate.value: self[fate] for fate in Fate}


def _fate(tally: Tally) -> Fate:
    match tally.action:
        case Action.FILE_REFUSED:
            return Fate.REFUSED
        case Action.FILE_BROKEN_OFF:
            return Fate.BROKEN_OFF
        case _:
            return Fate.UNCHANGED if tally.unchanged else Fate.SERVED


ClientKey = tuple[str, str | None, str | None]
"""A client's name, its token's id, and its address."""


@dataclass
class Client:
    """What one client, by name, token and address, got of the files or was refused."""

    name: str
    token: str | None
    address: str | None
    installers: set[str] = field(default_factory=set)
    ci: bool | None = None
    """Whether it said to run in CI, at least once."""
    files: set[str] = field(default_factory=set)
    """What it has, whole or in part."""
    refused_files: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    fates: Fates = field(default_factory=Fates)
    first: datetime | None = None
    last: datetime | None = None

    @property
    def exposed(self) -> bool:
        """Whether it has the bytes of at least one file, or some of them."""
        return self.fates.count(exposed=True) > 0

    def add(self, tally: Tally) -> None:
        """Count some of its requests."""
        self.fates.add(tally)
        if tally.action is Action.FILE_BROKEN_OFF:
            return
        files = self.refused_files if tally.action is Action.FILE_REFUSED else self.files
        files.add(tally.filename or "?")
        self.indexes.add(tally.index or "?")
        self.installers.add(installer_of(tally.actor))
        self.ci = tally.actor.ci if self.ci is None else self.ci or bool(tally.actor.ci)
        self.first = min(self.first or tally.first, tally.first)
        self.last = max(self.last or tally.last, tally.last)


class Summary:
    """The requests for some targets, by client; its size grows with the clients and not with the requests."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets = {target: Fates() for target in targets}
        """How often the files of each target were asked for, by what became of it."""
        self.clients: dict[ClientKey, Client] = {}

    def add(self, tally: Tally, targets: Iterable[Target]) -> None:
        """Count requests for a file, which these of the targets mean."""
        key = (tally.actor.name, tally.actor.token, tally.actor.address)
        client = self.clients.get(key)
        if client is None:
            client = self.clients[key] = Client(*key)
        client.add(tally)
        for target in targets:
            self.targets[target].add(tally)

    def count(self, *, exposed: bool) -> int:
        """Return how many requests left a client with bytes of the files, or how many did not."""
        return sum(client.fates.count(exposed=exposed) for client in self.clients.values())

    @property
    def exposed(self) -> list[Client]:
        """The clients that have bytes of the files, the first to get them first."""
        return self._those(exposed=True)

    @property
    def refused(self) -> list[Client]:
        """The clients that tried in vain, and have nothing."""
        return self._those(exposed=False)

    def _those(self, *, exposed: bool) -> list[Client]:
        # Whose requests were pruned from the log, all but how one of them ended, has no first one.
        clients = (client for client in self.clients.values() if client.exposed is exposed and client.first)
        return sorted(clients, key=lambda client: (str(client.first), client.name, client.address or ""))


def installer_of(actor: Actor) -> str:
    """Return what a client calls itself, as in `pip 26.3, Python 3.12.4`."""
    if actor.installer is None:
        return actor.user_agent or "unknown"
    name = f"{actor.installer} {actor.installer_version or ''}".strip()
    return f"{name}, Python {actor.python}" if actor.python else name


def client_document(client: Client) -> dict[str, Any]:
    """Return a client as plain data."""
    return {
        "actor": client.name,
        "token": client.token,
        "address": client.address,
        "installers": sorted(client.installers),
        "ci": client.ci,
        "indexes": sorted(client.indexes),
        "files": sorted(client.files),
        "refused_files": sorted(client.refused_files),
        "requests": client.fates.document(),
        "first": plain(client.first),
        "last": plain(client.last),
    }
