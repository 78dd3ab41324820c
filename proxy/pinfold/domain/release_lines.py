"""What is remembered of a project's attested files, by release line: the ground for trust on first use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pinfold.domain.names import parse_version
from pinfold.domain.project import File
from pinfold.domain.provenance import Publisher

Line = tuple[int, int, int]
"""A release line at its narrowest: epoch, major and minor version."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Where in time an attested file stands whose upload time the upstream does not state: before every other."""


@dataclass(frozen=True, slots=True)
class FirstUse:
    """When a publisher first published in a release line, as far as provenance was verified here."""

    publisher: Publisher
    version: str
    at: datetime
    """The upload of the file."""


@dataclass(frozen=True, slots=True)
class LineHistory:
    """The attested files of one release line."""

    line: Line
    attested_since: datetime
    """The upload of the first one, by the index's word or by verification."""
    attested_version: str
    publishers: tuple[FirstUse, ...] = ()
    """Those that were verified, by first use."""


@dataclass(frozen=True, slots=True)
class ProvenanceHistory:
    """The release lines of a project that have attested files; the same for every file of the project."""

    lines: tuple[LineHistory, ...] = ()


@dataclass(frozen=True, slots=True)
class AttestedFile:
    """A file that the index says to be attested, or that was verified to be."""

    file: File
    publishers: tuple[Publisher, ...] = ()
    """Empty until they are verified."""


@lru_cache(maxsize=65536)
def line_of(version: str | None) -> Line | None:
    """Return the release line of a version; None for a file whose name carries none."""
    parsed = parse_version(version) if version else None
    return None if parsed is None else (parsed.epoch, parsed.major, parsed.minor)


def history_of(attested: Iterable[AttestedFile]) -> ProvenanceHistory:
    """Return the history that a project's attested files make up; pure, one pass."""
    lines: dict[Line, dict[Publisher, FirstUse]] = {}
    first: dict[Line, tuple[datetime, str]] = {}
    for each in attested:
        version, uploaded = each.file.version, each.file.upload_time or BEGINNING
        line = line_of(version)
        if line is None or version is None:
            continue
        first[line] = min(first.get(line, (uploaded, version)), (uploaded, version))
        uses = lines.setdefault(line, {})
        for publisher in each.publishers:
            known = uses.get(publisher)
            if known is None or uploaded < known.at:
                uses[publisher] = FirstUse(publisher, version, uploaded)
    return ProvenanceHistory(
        tuple(
            LineHistory(line, *first[line], publishers=tuple(sorted(uses.values(), key=_at)))
            for line, uses in sorted(lines.items())
        )
    )


def _at(use: FirstUse) -> tuple[datetime, tuple[str, ...]]:
    return use.at, use.publisher.key
