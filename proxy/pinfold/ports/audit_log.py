"""The port to the audit log."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.domain.audit_entry import Action, Actor, Entry, Recorded
from pinfold.domain.evidence import Evidence
from pinfold.domain.target import Target


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What to look for; what is None does not matter."""

    action: str | None = None
    actor: str | None = None
    address: str | None = None
    index: str | None = None
    project: str | None = None
    version: str | None = None
    filename: str | None = None
    sha256: str | None = None
    decision: str | None = None
    rule: str | None = None
    reference: str | None = None
    since: datetime | None = None
    """The beginning of a span of time, included."""
    until: datetime | None = None
    """Its end, not included."""
    after_seq: int = 0
    """Only entries with higher numbers: where a page ended that ran oldest first."""
    before_seq: int | None = None
    """Only entries with lower numbers: where a page ended that ran newest first."""
    newest_first: bool = True
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Tally:
    """How often, from when and until when one client asked for one file, and the same became of it."""

    action: Action
    unchanged: bool
    """The client was told that what it has is still good."""
    actor: Actor
    index: str | None
    project: str | None
    version: str | None
    filename: str | None
    sha256: str | None
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a process made durable and the log does not have yet, as far as that process knows."""

    entries: int
    seconds: float
    """Since the oldest of them was durable, at most."""
    failure: Exception | None
    """Why the log took up none of them when it was asked last."""


class Appended(Protocol):
    """An entry that is durable, and has a number as soon as somebody asks for it."""

    async def number(self) -> int:
        """Return the entry's place in the log; raises StoreError when the store fails."""
        ...

    async def again(self, moment: datetime) -> "Appended":
        """Append the same entry once more, of another moment, as `append` does."""
        ...


class AuditLog(Protocol):
    """An append-only log that all processes of an installation share.

    Whoever reads it sees all entries that were durable by then, whichever process appended them.
    """

    async def append(self, entry: Entry, evidence: Evidence | None = None) -> Appended:
        """Append an entry, and return once it is durable; raises StoreError when it cannot be.

        The evidence is that of the entry's digest: it is kept, once, so that the decision can be repeated.
        """
        ...

    async def search(self, query: AuditQuery) -> list[Recorded]:
        """Return the entries that a query matches; raises StoreError when the store fails."""
        ...

    def concerning(self, target: Target) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries that name what a target means, newest first, in portions that fit into memory.

        Of a release target's project, those without a version are among them. Raises StoreError when the store fails.
        """
        ...

    def tallies(self, target: Target) -> AsyncIterator[Sequence[Tally]]:
        """Yield the requests for what a target means, counted, with those that were broken off counted once more.

        The same client and file can come again in a later portion. Raises StoreError when the store fails.
        """
        ...

    def since(self, moment: datetime) -> AsyncIterator[Sequence[Recorded]]:
        """Yield all entries from a moment on, in order, in portions that fit into memory.

        Raises StoreError when the store fails.
        """
        ...

    async def versions(self, project: str) -> set[str]:
        """Return the versions of a project that entries name; raises StoreError when the store fails."""
        ...
