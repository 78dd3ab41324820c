"""The port to what looking back needs to remember: what was served, and what changed since."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.domain.alert import Alert
from pinfold.domain.audit_entry import Entry
from pinfold.domain.evidence import Evidence

Noticed = Callable[[Collection[str] | None, str], Awaitable[None]]
"""Hears of projects that other things are known of than before, or with None of all, and the cause in a few words."""


async def nobody_asks(_projects: Collection[str] | None, _cause: str) -> None:
    """Be told of changes, and let them pass."""


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that some client was served from an index, and what its last decision was."""

    index: str
    project: str
    version: str | None
    filename: str
    sha256: str
    refused: bool = False
    """It was found since that the file is to be refused, which is in the audit log."""


@dataclass(frozen=True, slots=True)
class EvidenceChange:
    """Something that may change decisions about files that were served."""

    number: int
    cause: str
    """What changed, in a few words."""
    project: str | None = None
    filename: str | None = None
    sha256: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class ChangedDecision:
    """A served file whose decision is another one now, with the entry that says so."""

    file: ServedFile
    """As it was before."""
    entry: Entry
    evidence: Evidence


class LookBackStore(Protocol):
    """Shared by all processes of an installation. Every method raises StoreError when the store fails."""

    async def note(self, projects: Collection[str] | None, cause: str) -> None:
        """Note that the evidence of some projects changed; None stands for all that files were served of."""
        ...

    async def take(self, at: datetime, until: datetime) -> EvidenceChange | None:
        """Return a change to look at; until a moment it is nobody else's. Changes of records are among them."""
        ...

    async def settle(self, number: int) -> None:
        """Forget a change that was looked at."""
        ...

    async def served(self, change: EvidenceChange) -> list[ServedFile]:
        """Return the served files that a change may be about."""
        ...

    async def record(self, changed: Sequence[ChangedDecision], alert: Alert, receivers: Collection[str]) -> bool:
        """Enter changed decisions in the audit log and the alert in the outbox, in one transaction.

        Returns False, and does nothing, where another process recorded one of them first.
        """
        ...
