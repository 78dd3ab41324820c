"""What is known of one file when it is judged; each item is known, or unknown with the reason why."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cache
from typing import Any, Generic, TypeVar

from msgspec import Struct

from pinfold.domain.advisory import Advisories
from pinfold.domain.inspection import Inspection
from pinfold.domain.listing import Sighting
from pinfold.domain.look_alikes import Resemblance
from pinfold.domain.pins import Pinning, ProjectPins
from pinfold.domain.project import File, UpstreamStatus
from pinfold.domain.provenance import Provenance, TrustRoot
from pinfold.domain.records import PublisherRecord, QuarantineRecord
from pinfold.domain.release_lines import ProvenanceHistory

T = TypeVar("T")


class Known(Struct, Generic[T], frozen=True, gc=False):
    """An item of evidence that was established."""

    value: T


@dataclass(frozen=True, slots=True)
class Unknown:
    """An item of evidence that could not be established, and why."""

    why: str


Item = Known[T] | Unknown

_SCALARS = frozenset({str, int, float, bool, type(None)})

NOT_ASKED_FOR = Unknown("no rule of the policy asks for it")


NOT_COMPARED = Unknown("the project's name was not compared with others")

NO_FEED = Unknown("no advisory feed has been loaded")


class Need(StrEnum):
    """Evidence that is gathered only for the rules that declare a need of it."""

    PROVENANCE = "provenance"
    INSPECTION = "inspection"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an index takes a file from."""

    upstream: str
    private: bool = False
    """The upstream belongs to this organisation, so that it may provide private names."""


@dataclass(frozen=True, slots=True)
class StatusSighting:
    """A project's PEP 792 status at its upstream, and when it was first seen to have it."""

    status: UpstreamStatus
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ProjectEvidence:
    """What is known of a project in one index and can settle what a rule finds in all of its files alike."""

    origin: Origin
    upstream_status: Item[StatusSighting]
    quarantine: tuple[QuarantineRecord, ...]
    """The records that can cover some of its files."""
    publishers: tuple[PublisherRecord, ...]
    pins: Item[ProjectPins] | None
    """What the pin set of the index holds of the project; None in an index that has none."""
    advisories: Item[Advisories] | None
    """What is known of each file; None where that differs."""
    inspection: Item[Inspection] | None
    """What is known of each file; None where that differs."""


class Evidence(Struct, frozen=True, gc=False):
    """Everything that rules may look at for one file of one project in one index."""

    project: str
    file: File
    origin: Origin
    private_name: bool
    """The name is this organisation's: the index reserves it, or it was published under here."""
    sighting: Item[Sighting]
    upstream_status: Item[StatusSighting]
    records: tuple[QuarantineRecord, ...] = ()
    publishers: tuple[PublisherRecord, ...] = ()
    """What people decided about the project's publishers."""
    provenance: Item[Provenance] = NOT_ASKED_FOR
    history: Item[ProvenanceHistory] = NOT_ASKED_FOR
    trust_root: TrustRoot | None = None
    """What provenance is verified with, where a rule asks for it."""
    advisories: Item[Advisories] = NO_FEED
    inspection: Item[Inspection] = NOT_ASKED_FOR
    pinning: Item[Pinning] | None = None
    """What the pin set of the index says of the file; None in an index that has none."""
    resemblance: Item[Resemblance | None] = NOT_COMPARED
    """The known names that the project's could be taken for, where nobody used it here before; None for any other."""

    def canonical(self) -> bytes:
        """Return the evidence in canonical JSON: equal evidence, equal bytes, on every machine."""
        return canonical_json(plain(self))

    def digest(self) -> str:
        """Return the sha256 of the canonical JSON."""
        return hashlib.sha256(self.canonical()).hexdigest()


def canonical_json(document: object) -> bytes:
    """Return plain data as the one JSON that it has here."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def plain(value: object) -> object:
    """Return domain data as what JSON can express: objects by field, times in UTC, unknowns with their reason."""
    kind: Any = type(value)
    # Most of what there is comes first: a refusal's reference is a digest of all of it, and thousands may be refused.
    if kind in _SCALARS:
        return value
    match value:
        case Known(inner):
            return {"known": plain(inner)}
        case Unknown(why):
            return {"unknown": why}
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case tuple() | list():
            return [plain(item) for item in value]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case _ if (names := field_names(kind)) is not None:
            if kind.__name__.endswith("Target"):
                return str(value)
            return {name: plain(getattr(value, name)) for name in names}
        case _:
            return value


@cache
def field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of the fields of a dataclass or a struct; None for any other type."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None
