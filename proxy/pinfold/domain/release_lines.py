"""What is remembered of a project's attested files, by release line: the ground for trust on first use."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from pinfold.domain.names import parse_version
from pinfold.domain.project import File
from pinfold.domain.provenance import Publisher

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

    line: str
    """`8.3` or `8`, with the epoch where there is one; empty for the whole project."""
    attested_since: datetime
    """The upload of the first one, by the index's word or by verification."""
    attested_version: str
    publishers: tuple[FirstUse, ...] = ()
    """Those that were verified, by first use."""


@dataclass(frozen=True, slots=True)
class ProvenanceHistory:
    """What is remembered of the releases that a file belongs with, in the three ways of drawing lines.

    One object for all files of a line, and of the same size however many releases there were: it is evidence of each.
    """

    minor: LineHistory | None = None
    major: LineHistory | None = None
    project: LineHistory | None = None


_NO_HISTORY = ProvenanceHistory()


@dataclass(frozen=True, slots=True)
class AttestedFile:
    """A file that the index says to be attested, or that was verified to be."""

    file: File
    publishers: tuple[Publisher, ...] = ()
    """Empty until they are verified."""


class ProjectHistory:
    """What is remembered of a whole project; made once, and asked for each file."""

    def __init__(self, attested: Iterable[AttestedFile]) -> None:
        """Take in the project's attested files, in any order."""
        lines: defaultdict[str, _Line] = defaultdict(_Line)
        for each in attested:
            version, uploaded = each.file.version, each.file.upload_time or BEGINNING
            if version is not None:
                for name in lines_of(version) or ():
                    lines[name].add(version, uploaded, each.publishers)
        self._lines = {name: line.history(name) for name, line in lines.items()}
        self._shared: dict[str, ProvenanceHistory] = {}

    def of(self, version: str | None) -> ProvenanceHistory:
        """Return what concerns a file; one whose name carries no version could belong to any line."""
        if not self._lines:
            return _NO_HISTORY
        names = lines_of(version) or ("", "", "")
        if (found := self._shared.get(names[0])) is None:
            found = self._shared[names[0]] = ProvenanceHistory(*(self._lines.get(name) for name in names))
        return found

    def majors(self) -> list[LineHistory]:
        """Return the history by major version, in the order of their first attested files."""
        found = [line for name, line in self._lines.items() if name and "." not in name]
        return sorted(found, key=lambda line: line.attested_since)


class AttestedUploads:
    """The files that a project's page says to be attested, by release line; laid out once, and asked for each file."""

    def __init__(self, listed: Iterable[File]) -> None:
        """Take in everything on the page; files that came at one moment stay in its order."""
        attested = sorted((file for file in listed if isinstance(file.provenance, str)), key=born)
        self._by_line: dict[str | None, list[File]] = {None: attested}
        for file in attested:
            for name in lines_of(file.version) or ():
                self._by_line.setdefault(name, []).append(file)

    def of(self, line: str | None) -> Sequence[File]:
        """Return those of a line in the order of their uploads; those of all lines, and of none, where it is None."""
        return self._by_line.get(line, ())


def born(file: File) -> datetime:
    """Return when a file came; one whose upload time is not stated comes before all others."""
    return file.upload_time or BEGINNING


@lru_cache(maxsize=65536)
def lines_of(version: str | None) -> tuple[str, str, str] | None:
    """Return the minor and the major line of a version, and its project's; None where there is no version."""
    parsed = parse_version(version) if version else None
    if parsed is None:
        return None
    major = f"{parsed.epoch}!{parsed.major}" if parsed.epoch else str(parsed.major)
    return f"{major}.{parsed.minor}", major, ""


class _Line:
    def __init__(self) -> None:
        self._first: tuple[datetime, str] | None = None
        self._uses: dict[Publisher, FirstUse] = {}

    def add(self, version: str, uploaded: datetime, publishers: Iterable[Publisher]) -> None:
        if self._first is None or (uploaded, version) < self._first:
            self._first = uploaded, version
        for publisher in publishers:
            known = self._uses.get(publisher)
            if known is None or uploaded < known.at:
                self._uses[publisher] = FirstUse(publisher, version, uploaded)

    def history(self, name: str) -> LineHistory:
        assert self._first is not None  # noqa: S101 - a line begins with a file
        return LineHistory(name, *self._first, publishers=tuple(sorted(self._uses.values(), key=_at)))


def _at(use: FirstUse) -> tuple[datetime, tuple[str, ...]]:
    return use.at, use.publisher.key
