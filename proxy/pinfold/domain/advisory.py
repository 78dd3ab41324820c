"""What advisories say of a project's releases, in the terms of the OSV schema (ossf.github.io/osv-schema)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto


class AdvisoryKind(StrEnum):
    """What an advisory warns of; the two are never mixed up, since what follows from them differs."""

    MALWARE = "malware"
    VULNERABILITY = "vulnerability"


class Severity(StrEnum):
    """The qualitative ratings of CVSS, mildest first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The place in the order of gravity."""
        return list(Severity).index(self)


class Bound(StrEnum):
    """What happens at an event of a version range."""

    INTRODUCED = auto()
    FIXED = auto()
    """The version itself is not affected any more."""
    LAST_AFFECTED = auto()
    """The version itself still is affected."""
    LIMIT = auto()
    """The range says nothing of this version, nor of later ones."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a version range, with the version as the record spells it."""

    bound: Bound
    version: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One `affected` entry: what one record says of one project."""

    id: str
    kind: AdvisoryKind
    versions: frozenset[str] = frozenset()
    """In PEP 440's canonical spelling, where they are PEP 440 versions."""
    ranges: tuple[tuple[Event, ...], ...] = ()
    hashes: frozenset[str] = frozenset()
    """The sha256 of files that are meant, in lower-case hexadecimal."""
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: Severity | None = None
    score: float | None = None
    """The CVSS base score that the severity comes from, where it does."""
    sources: int = 1
    """How many independent finders the record names."""


class MatchedBy(StrEnum):
    """By what a file was recognised."""

    HASH = "hash"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Hit:
    """An open advisory that means a file."""

    id: str
    kind: AdvisoryKind
    matched_by: MatchedBy
    severity: Severity | None = None
    score: float | None = None
    sources: int = 1
    aliases: tuple[str, ...] = ()
    summary: str = ""
    credit: str = ""
    """Who wrote it, under which licence it may be shown."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A vulnerability of the release that a file would replace, and that ends with the file's version."""

    id: str
    affected: str
    """The version that is replaced."""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a feed held at a moment: equal contents, equal hash, however they were fetched."""

    feed: str
    sha256: str
    taken_at: datetime
    """When these contents came here."""
    records: int


@dataclass(frozen=True, slots=True)
class Advisories:
    """What the feeds say of one file."""

    snapshots: tuple[Snapshot, ...] = ()
    """Every feed that was asked; none for files of this organisation's own upstreams, which no public record means."""
    hits: tuple[Hit, ...] = ()
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectClaims:
    """Everything that the feeds hold on one project, as of their snapshots."""

    snapshots: tuple[Snapshot, ...]
    claims: tuple[Claim, ...] = ()


_CREDITS = {
    "PYSEC": "PyPA Advisory Database, CC-BY 4.0",
    "GHSA": "GitHub Advisory Database, CC-BY 4.0",
    "MAL": "OpenSSF Malicious Packages, Apache-2.0",
}


def credit(advisory_id: str) -> str:
    """Return whose record an id stands for, with its licence; empty for databases that are not known here."""
    return _CREDITS.get(advisory_id.partition("-")[0], "")
