"""Pin sets: the exact files that an index can be limited to, in versions that are never changed."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from packaging.version import Version

from pinfold.domain.errors import InvalidRecord
from pinfold.domain.names import parse_version
from pinfold.domain.project import File

MAX_PINS = 200_000
"""Files of one set: each process keeps the sets of its indexes in memory."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
MAX_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Pin:
    """One file that a set admits."""

    project: str
    version: str
    """In PEP 440's canonical spelling."""
    sha256: str
    """In lower-case hexadecimal."""
    filename: str | None = None
    """None where the lock that it comes from names none: the bytes decide then."""

    @property
    def release(self) -> str:
        """The release, as in `requests==2.32.3`."""
        return f"{self.project}=={self.version}"

    def admits(self, file: File) -> bool:
        """Tell whether a file of the pin's project is the pinned one."""
        return (
            file.sha256 == self.sha256
            and self.version in (file.version, file.version or self.version)
            and self.filename in (None, file.filename)
        )


@dataclass(frozen=True, slots=True)
class Pinning:
    """What the pin set of an index says of one file."""

    pin_set: str
    pinned: bool
    releases: tuple[str, ...] = ()
    """The versions of the file's project that the set pins files of, newest first."""


@dataclass(frozen=True)
class ProjectPins:
    """What a set pins of one project."""

    pin_set: str
    pins: tuple[Pin, ...] = ()

    def of(self, file: File) -> Pinning:
        """Return what the set says of one of the project's files; the same object for all that are alike."""
        candidates = self._by_hash.get(file.sha256, ())
        return self._pinned if any(pin.admits(file) for pin in candidates) else self._unpinned

    @cached_property
    def _by_hash(self) -> Mapping[str, list[Pin]]:
        found: dict[str, list[Pin]] = {}
        for pin in self.pins:
            found.setdefault(pin.sha256, []).append(pin)
        return found

    @cached_property
    def _pinned(self) -> Pinning:
        return Pinning(self.pin_set, pinned=True, releases=releases(self.pins))

    @cached_property
    def _unpinned(self) -> Pinning:
        return Pinning(self.pin_set, pinned=False, releases=releases(self.pins))


class PinAct(StrEnum):
    """What made a version of a set."""

    IMPORT = "import"
    ROLLBACK = "rollback"
    REMOVE = "remove"
    """There is no set of the name from then on, until somebody imports one again."""


@dataclass(frozen=True, slots=True)
class PinSetVersion:
    """One version of a set, without its pins."""

    name: str
    number: int
    """Counted from 1 without gaps, also over a removal."""
    act: PinAct
    created_by: str
    created_at: datetime
    sources: tuple[str, ...]
    """The locks that were imported, or the version that was gone back to."""
    files: int
    digest: str
    """The sha256 of the pins: equal pins, equal digest."""


@dataclass(frozen=True)
class PinSet:
    """A version of a set with all that it pins."""

    head: PinSetVersion
    pins: tuple[Pin, ...]

    def of(self, project: str) -> ProjectPins:
        """Return what the set pins of a project."""
        return self._by_project.get(project) or ProjectPins(self.head.name)

    @cached_property
    def _by_project(self) -> dict[str, ProjectPins]:
        name = self.head.name
        return {project: ProjectPins(name, in_order(pins)) for project, pins in _by_project(self.pins).items()}


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """How two sets differ in one project."""

    project: str
    before: tuple[str, ...]
    """The versions that were pinned, newest first; none for a project that is new."""
    after: tuple[str, ...]
    added: int
    """Files that come."""
    removed: int
    """Files that go."""


def difference(before: Iterable[Pin], after: Iterable[Pin]) -> tuple[ProjectChange, ...]:
    """Return how the pins of two sets differ, by project."""
    old, new = _by_project(before), _by_project(after)
    changes = []
    for project in sorted(old.keys() | new.keys()):
        was, will = old.get(project, set()), new.get(project, set())
        if was != will:
            changes.append(ProjectChange(project, releases(was), releases(will), len(will - was), len(was - will)))
    return tuple(changes)


def releases(pins: Iterable[Pin]) -> tuple[str, ...]:
    """Return the versions that pins name, newest first."""
    return tuple(sorted({pin.version for pin in pins}, key=_order, reverse=True))


def in_order(pins: Iterable[Pin]) -> tuple[Pin, ...]:
    """Return pins once each, by project, version and file name.

    Where the same bytes are pinned with a file name and without one, the one without says it all.
    """
    unique = set(pins)
    nameless = {(pin.project, pin.version, pin.sha256) for pin in unique if pin.filename is None}
    kept = (pin for pin in unique if pin.filename is None or (pin.project, pin.version, pin.sha256) not in nameless)
    return tuple(sorted(kept, key=lambda pin: (pin.project, _order(pin.version), pin.filename or "", pin.sha256)))


def pins_digest(pins: Iterable[Pin]) -> str:
    """Return the sha256 of pins that are in order."""
    lines = "".join(f"{pin.project} {pin.version} {pin.sha256} {pin.filename or '*'}\n" for pin in pins)
    return hashlib.sha256(lines.encode()).hexdigest()


def pin_set_name(text: str) -> str:
    """Return a name that a set can have; raise InvalidRecord for what is none."""
    if len(text) > MAX_NAME_LENGTH or not _NAME.fullmatch(text):
        raise InvalidRecord(
            f"{text[:80]!r} names no pin set: use lower-case letters and digits, with single hyphens between them"
        )
    return text


def _by_project(pins: Iterable[Pin]) -> dict[str, set[Pin]]:
    grouped: dict[str, set[Pin]] = {}
    for pin in pins:
        grouped.setdefault(pin.project, set()).add(pin)
    return grouped


def _order(version: str) -> tuple[bool, Version | str]:
    parsed = parse_version(version)
    return (False, version) if parsed is None else (True, parsed)
