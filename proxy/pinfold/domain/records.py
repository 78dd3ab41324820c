"""What people decide by hand: quarantine records, and waivers of single rules."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pinfold.domain.project import File
from pinfold.domain.target import Target


class RecordState(StrEnum):
    """The life of a quarantine record: held until somebody releases or rejects what it covers."""

    HELD = "held"
    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """A target held by an admin or a detector."""

    id: str
    target: Target
    reason: str
    reference: str | None
    """Where the reason is told at length: an advisory's id, a ticket, a URL."""
    created_by: str
    created_at: datetime
    state: RecordState = RecordState.HELD
    closed_by: str | None = None
    closed_at: datetime | None = None
    closing_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A named person's time-limited exception from one rule for one target."""

    id: str
    target: Target
    rule: str
    reason: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def stands_at(self, moment: datetime) -> bool:
        """Tell whether the waiver is in force at a moment."""
        return self.revoked_at is None and self.created_at <= moment < self.expires_at


@dataclass(frozen=True, slots=True)
class Records:
    """All open quarantine records and unexpired waivers of a store at one revision; immutable.

    They are few, so that each process keeps them in memory and a decision needs no database.
    """

    revision: int
    """Raised by every change that any process makes to the store's records."""
    quarantine: tuple[QuarantineRecord, ...] = ()
    """Those that still hold or reject something."""
    waivers: tuple[Waiver, ...] = ()

    def for_project(self, project: str) -> "Records":
        """Return the records that can concern a project's files: its own, and those of bytes and of file names."""
        return Records(
            self.revision,
            tuple(record for record in self.quarantine if record.target.project in (project, None)),
            tuple(waiver for waiver in self.waivers if waiver.target.project in (project, None)),
        )

    def covering(self, project: str, file: File) -> tuple[QuarantineRecord, ...]:
        """Return the quarantine records that cover a file, oldest first."""
        return tuple(record for record in self.quarantine if record.target.covers(project, file))

    def waivers_of(self, project: str, file: File) -> tuple[Waiver, ...]:
        """Return the waivers whose target covers a file, in force or not."""
        return tuple(waiver for waiver in self.waivers if waiver.target.covers(project, file))
