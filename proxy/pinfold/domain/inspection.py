"""What inspecting an archive finds: plain data that is kept once for each sha256."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from pinfold.domain.decision import Effect


class Kind(StrEnum):
    """What an observation is about, and the gravest effect it can have.

    The values are stable: people filter and report by them.
    """

    grade: Effect

    def __new__(cls, value: str, grade: Effect = Effect.WARN) -> Self:
        """Make a member from its value and its grade."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.grade = grade
        return member

    # The archive leaves the place it is unpacked to, or takes over what is not its own.
    PATH_ESCAPE = "path-escape", Effect.DENY
    LINK_ESCAPE = "link-escape", Effect.DENY
    SYMLINK = "symlink", Effect.DENY
    SPECIAL_FILE = "special-file", Effect.DENY
    INTERPRETER_FILE = "interpreter-file", Effect.DENY

    # The archive reads differently from one tool, or one machine, to the next.
    AMBIGUOUS_FORMAT = "ambiguous-format", Effect.DENY
    AMBIGUOUS_PATH = "ambiguous-path", Effect.DENY
    DUPLICATE_NAME = "duplicate-name", Effect.DENY
    COLLIDING_NAMES = "colliding-names", Effect.DENY
    HEADER_MISMATCH = "header-mismatch", Effect.DENY
    HIDDEN_DATA = "hidden-data", Effect.DENY
    HIDDEN_ENTRY = "hidden-entry", Effect.DENY
    OVERLAPPING_ENTRIES = "overlapping-entries", Effect.DENY
    ENCRYPTED_ENTRY = "encrypted-entry", Effect.DENY
    UNUSUAL_COMPRESSION = "unusual-compression", Effect.DENY
    DAMAGED_ENTRY = "damaged-entry", Effect.DENY
    UNREADABLE_ARCHIVE = "unreadable-archive", Effect.DENY

    # The archive contradicts its name or its own metadata.
    RECORD_MISSING = "record-missing", Effect.DENY
    RECORD_MALFORMED = "record-malformed", Effect.DENY
    RECORD_DUPLICATE = "record-duplicate", Effect.DENY
    RECORD_MISMATCH = "record-mismatch", Effect.DENY
    NOT_IN_RECORD = "not-in-record", Effect.DENY
    NOT_IN_ARCHIVE = "not-in-archive", Effect.DENY
    METADATA_MISSING = "metadata-missing", Effect.DENY
    METADATA_MISMATCH = "metadata-mismatch", Effect.DENY
    SEVERAL_DIST_INFO = "several-dist-info", Effect.DENY
    SEVERAL_FOLDERS = "several-folders", Effect.DENY
    UNKNOWN_SCHEME = "unknown-scheme", Effect.DENY

    # Not all of the archive was inspected.
    TOO_LARGE = "too-large", Effect.QUARANTINE
    UNSUPPORTED_FORMAT = "unsupported-format", Effect.QUARANTINE
    INSPECTION_FAILED = "inspection-failed", Effect.QUARANTINE

    # Unusual, with honest uses.
    ODD_NAME = "odd-name"
    REPEATED_ENTRY = "repeated-entry"
    UNREAD_BYTES = "unread-bytes"
    SETUID_FILE = "setuid-file"
    UNEXPECTED_DATA = "unexpected-data"
    WEAK_RECORD_HASH = "weak-record-hash"
    DIRECT_URL = "direct-url"
    FOREIGN_PACKAGE = "foreign-package"

    # What the previous release did not have.
    NEW_START_UP_HOOK = "new-start-up-hook", Effect.QUARANTINE
    NEW_OPAQUE_CODE = "new-opaque-code", Effect.QUARANTINE
    NEW_OPAQUE_CODE_ASIDE = "new-opaque-code-aside"
    NEW_UNREAD_SOURCE = "new-unread-source"
    NEW_BINARY = "new-binary"
    NEW_NESTED_ARCHIVE = "new-nested-archive"
    NEW_ENTRY_POINT = "new-entry-point"
    NEW_COMMAND = "new-command"
    NEW_BUILD_STEP = "new-build-step"
    NEW_DATA = "new-data"
    NEW_TOP_LEVEL = "new-top-level"
    SIZE_JUMP = "size-jump"


_INCOMPLETE = frozenset({Kind.UNREADABLE_ARCHIVE, Kind.TOO_LARGE, Kind.UNSUPPORTED_FORMAT, Kind.INSPECTION_FAILED})


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was found, with the place where it stands."""

    kind: Kind
    text: str
    """What was found: one short line of printable ASCII."""
    file: str | None = None
    """The path inside the archive, in printable ASCII; None where it is about the archive itself."""
    line: int | None = None

    @property
    def grade(self) -> Effect:
        """The gravest effect that the observation can have."""
        return self.kind.grade

    @property
    def breaks_off(self) -> bool:
        """Whether it says that not all of the archive was inspected."""
        return self.kind in _INCOMPLETE


@dataclass(frozen=True, slots=True)
class Trait:
    """Something a release may well have, and that is worth telling only when the previous release had it not."""

    identity: str
    """What makes it the same trait, within its kind, from one release to the next."""
    observation: Observation
    """What there is to tell when it is new."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an archive is seen to be."""

    inspector: int
    """The edition of the inspection: a report of an older one is made anew."""
    project: str
    filename: str
    size: int
    """Bytes of the archive."""
    unpacked_size: int
    """Bytes it declares or was seen to unpack to."""
    entries: int
    observations: tuple[Observation, ...] = ()
    """What is wrong or unusual with the archive by itself; empty for a clean one."""
    traits: tuple[Trait, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all of the archive was inspected, so that what the report does not mention is not there."""
        return not any(observation.breaks_off for observation in self.observations)

    @property
    def top_level(self) -> tuple[str, ...]:
        """The names that the archive makes importable."""
        return tuple(trait.identity for trait in self.traits if trait.observation.kind is Kind.NEW_TOP_LEVEL)

    @property
    def grave_traits(self) -> tuple[Trait, ...]:
        """The traits that keep a file from clients where they are new."""
        return tuple(trait for trait in self.traits if trait.observation.grade.refuses)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of one file's content, and what of it is new: the evidence that a report leads to."""

    inspector: int
    observations: tuple[Observation, ...] = ()
    """What is wrong or unusual with the archive by itself."""
    again_at: datetime | None = None
    """From when on an archive that was not inspected to its end is inspected once more; None for one that was."""
    previous: str | None = None
    """The file of an earlier release, allowed here, that it is compared with; None where there is none."""
    news: tuple[Observation, ...] | None = ()
    """What the previous file had not; None where something grave may be new, and the previous file would have to be
    inspected to tell."""
