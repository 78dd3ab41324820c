"""The port to what looking back needs to remember: what was served, and what changed since."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pinfold.domain.alert import Alert
from pinfold.domain.audit_entry import Entry
from pinfold.domain.evidence import Evidence


class Noticed(Protocol):
    """Hears of projects that other things are known of than before, or with None of all, and the cause in a few words.

    Whoever is about to make such a change says so before as well, with a moment until which to wait: should it not live
    to say that the change is made, it is looked at then.
    """

    def __call__(
        self, projects: Collection[str] | None, cause: str, /, *, until: datetime | None = None
    ) -> Awaitable[None]:
        """Take note of it; raises StoreError."""
        ...


INTENT = timedelta(seconds=15)
"""How long somebody who is about to change what is known may take to do it."""


HANDOVER = timedelta(minutes=10)
"""How long those that judge by a policy leave changes to those that judge by the one announced after it: they are about
to stop, or nobody judges by the later one after all."""


async def nobody_asks(
    _projects: Collection[str] | None,
    _cause: str,
    *,
    until: datetime | None = None,
) -> None:
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

    async def note(self, projects: Collection[str] | None, cause: str, *, until: datetime | None = None) -> None:
        """Note that the evidence of some projects changed; None stands for all that files were served of.

        With a moment, it is about to change, and nobody looks before; to note it once more lets everybody look.
        """
        ...

    async def announce(self, entry: Entry, name: str, value: str, projects: Collection[str] | None = None) -> bool:
        """Enter that a policy or a feed is another one than was entered last, and have served files looked at again.

        `name` says whose, `value` what it is now; the entry's details are given what it was `before`. All of it is one
        transaction. Returns False, and does nothing, where the value is what was entered last.
        """
        ...

    async def take(
        self, at: datetime, until: datetime, policies: Mapping[str, str] | None = None
    ) -> EvidenceChange | None:
        """Return a change to look at; until a moment it is nobody else's. Changes of records are among them.

        Whoever says by which policies it would judge, their digests by index, is given none for a while after another
        one was announced: that is for a process to look at that judges by it.
        """
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
