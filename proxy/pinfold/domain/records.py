"""What people decide by hand: quarantine records, waivers of single rules, and publishers of projects."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pinfold.domain.errors import InvalidRecord
from pinfold.domain.project import File
from pinfold.domain.provenance import PublisherPin
from pinfold.domain.target import FileTarget, ReleaseTarget, Target

MAX_REASON = 500


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


class PublisherDecision(StrEnum):
    """What somebody decides about a publisher of a project."""

    PIN = "pin"
    """The project's files must come from it, or from another one that is pinned."""
    ACCEPT = "accept"
    """Its files count as those of a publisher that the project always had."""


@dataclass(frozen=True, slots=True)
class PublisherRecord:
    """A publisher of a project that somebody pinned or accepted."""

    id: str
    project: str
    decision: PublisherDecision
    publisher: PublisherPin | None
    """None stands for files without attestations, which can be accepted as well."""
    reason: str
    created_by: str
    created_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """All open quarantine records, unexpired waivers and publishers of a store at one revision; immutable.

    They are few, so that each process keeps them in memory and a decision needs no database.
    """

    revision: int
    """Raised by every change that any process makes to the store's records."""
    quarantine: tuple[QuarantineRecord, ...] = ()
    """Those that still hold or reject something."""
    waivers: tuple[Waiver, ...] = ()
    publishers: tuple[PublisherRecord, ...] = ()
    """Those that are not revoked."""

    def for_project(self, project: str) -> "Records":
        """Return the records that can concern a project's files: its own, and those of bytes and of file names."""
        return Records(
            self.revision,
            tuple(record for record in self.quarantine if _can_concern(record.target, project)),
            tuple(waiver for waiver in self.waivers if _can_concern(waiver.target, project)),
            tuple(record for record in self.publishers if record.project == project),
        )

    def covering(self, project: str, file: File) -> tuple[QuarantineRecord, ...]:
        """Return the quarantine records that cover a file, oldest first."""
        return tuple(record for record in self.quarantine if record.target.covers(project, file))

    def waivers_of(self, project: str, file: File) -> tuple[Waiver, ...]:
        """Return the waivers whose target covers a file, in force or not.

        A file without a version is held with every release of its project, but no waiver of a release lets it go.
        """
        if not self.waivers:
            return ()
        return tuple(
            waiver
            for waiver in self.waivers
            if waiver.target.covers(project, file)
            and not (file.version is None and isinstance(waiver.target, ReleaseTarget))
        )


def _can_concern(target: Target, project: str) -> bool:
    # A file name does not always tell where the project ends: its target's project is no more than a good guess.
    return target.project in (project, None) or isinstance(target, FileTarget)


def new_record_id(kind: Literal["Q", "W", "P", "T"]) -> str:
    """Return the id of a new quarantine record, waiver, publisher or token, such as `Q-7QK2MXA`: short to read out."""
    return f"{kind}-{base64.b32encode(secrets.token_bytes(5))[:7].decode()}"


def stated_reason(text: str) -> str:
    """Return a person's reason as one printable line; raise InvalidRecord where there is none, or too much of it."""
    reason = "".join(c for c in " ".join(text.split()) if c.isprintable())
    if not reason:
        raise InvalidRecord("a reason is needed: others will read it, also years later")
    if len(reason) > MAX_REASON:
        raise InvalidRecord(f"a reason has at most {MAX_REASON} characters: put the rest where a reference can lead")
    return reason
