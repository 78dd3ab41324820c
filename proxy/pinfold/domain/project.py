"""A project's page as an upstream states it, independent of the representation it came in."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from pinfold.domain.names import FileKind


class StatusMarker(StrEnum):
    """PEP 792 project status markers."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    DEPRECATED = "deprecated"
    QUARANTINED = "quarantined"
    UNRECOGNISED = "unrecognised"
    """The upstream gives a status that PEP 792 does not define: never taken for active, never passed on."""


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """The PEP 792 status that an upstream gives a project, with the upstream's own reason for it."""

    marker: StatusMarker = StatusMarker.ACTIVE
    reason: str | None = None


class File(Struct, frozen=True, gc=False):
    """One sdist or wheel, as its index entry describes it."""

    filename: str
    url: str
    """Where the upstream keeps the bytes; absolute."""
    sha256: str
    """Lower-case hexadecimal. Entries without one are never listed or served: nothing could vouch for their bytes."""
    kind: FileKind
    version: str | None
    """In PEP 440's canonical spelling; None where the file name carries none."""
    size: int | None = None
    """Bytes (PEP 700)."""
    upload_time: datetime | None = None
    """When the upstream received it (PEP 700); aware, UTC."""
    requires_python: str | None = None
    yanked: str | None = None
    """The yank reason, possibly empty; None where the file is not yanked (PEP 592)."""
    core_metadata: str | bool = False
    """The sha256 of the metadata file, or whether there is one (PEP 658, PEP 714)."""
    provenance: str | bool = False
    """The URL of the PEP 740 provenance; True where the index says there is none (`null`), False where it is silent."""


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """An index entry that is not served, whatever the policy, because it cannot be judged or verified."""

    filename: str
    why: str


@dataclass(frozen=True, slots=True)
class Project:
    """One project's page of one upstream."""

    name: str
    files: tuple[File, ...] = ()
    versions: tuple[str, ...] = ()
    """PEP 700: every release, those without files included."""
    status: UpstreamStatus = field(default_factory=UpstreamStatus)
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
    rejected: tuple[RejectedEntry, ...] = ()
