"""Names of projects, files and indexes, read the way the packaging specifications read them."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct
from packaging.version import InvalidVersion, Version

from pinfold.domain.errors import InvalidName

DEFAULT_INDEX = "main"
"""The index that is always there, and that `/simple/` means."""

MAX_NAME_LENGTH = 214
MAX_FILENAME_LENGTH = 255

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_.]+")
_GLOB = re.compile(r"[a-z0-9*?]|[a-z0-9*?][a-z0-9*?-]*[a-z0-9*?]", re.ASCII)
# What is spelt canonically as it stands, which nearly every version is.
_PLAIN_VERSION = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17}))*", re.ASCII)
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!~-]*+")
# 20 times as fast as packaging's parser: tags play no part in a decision.
_WHEEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._+!~]*+)-([A-Za-z0-9._+!~]*+)(?:-[A-Za-z0-9._+!~]*+){3,4}(?<=\.whl)")

# What PyPI accepted over the years besides wheels and today's sdists; no installer takes the versions below from
# anything but the name that the project page implies.
_LEGACY_SUFFIXES = (".tar.bz2", ".tar.xz", ".tar.z", ".tgz", ".tar", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg")
FILE_SUFFIXES = (".whl", ".tar.gz", ".zip", *_LEGACY_SUFFIXES)
"""How the names of distributions end, in lower case."""


class FileKind(StrEnum):
    """What sort of distribution a file is, told by its name."""

    WHEEL = "wheel"
    SDIST = "sdist"
    OTHER = "other"


class FileName(Struct, frozen=True, gc=False):
    """What a distribution's file name says: kind, normalised project name, and version in its canonical spelling.

    `version` is None where the name carries none that PEP 440 understands.
    """

    kind: FileKind
    project: str
    version: str | None


@lru_cache(maxsize=65536)
def normalise(name: str) -> str:
    """Return the normalised spelling of a project name (PEP 503); raise InvalidName for what is not one."""
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        raise InvalidName(f"{name[:80]!r} is not a project name: use letters, digits, '.', '_' and '-'")
    return _SEPARATORS.sub("-", name).lower()


def normalise_glob(glob: str) -> str:
    """Return a glob over project names, spelled so that it can match normalised names.

    `*` stands for any characters and `?` for any one. Raises InvalidName for a glob that no project name could match.
    """
    normalised = _SEPARATORS.sub("-", glob).lower()
    if not glob.isascii() or len(glob) > MAX_NAME_LENGTH or not _GLOB.fullmatch(normalised):
        raise InvalidName(
            f"{glob[:80]!r} matches no project name: write a name, where * stands for any characters and ? for one"
        )
    return normalised


@lru_cache(maxsize=65536)
def parse_version(text: str) -> Version | None:
    """Return the PEP 440 version that a text spells, or None."""
    # int() refuses numbers of thousands of digits, which PEP 440's grammar would allow.
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return None


@lru_cache(maxsize=65536)
def canonical_version(text: str) -> str | None:
    """Return a version in its one canonical spelling, or None where the text is no PEP 440 version."""
    if _PLAIN_VERSION.fullmatch(text):
        return text
    version = parse_version(text)
    return None if version is None else str(version)


def newest_release(versions: Iterable[str | None]) -> str | None:
    """Return the newest of some versions, a pre-release only where there is nothing else; None where there is none."""
    known = [version for text in set(versions) if text is not None and (version := parse_version(text))]
    newest = max(known, default=None)
    if newest is not None and newest.is_prerelease:
        newest = max((version for version in known if not version.is_prerelease), default=newest)
    return None if newest is None else str(newest)


def is_filename(text: str) -> bool:
    """Tell whether a text could name a distribution, and harm neither a path, a header nor a page."""
    return len(text) <= MAX_FILENAME_LENGTH and _FILENAME.fullmatch(text) is not None


def parse_filename(filename: str, project: str) -> FileName:
    """Return what a file name says, given the project whose page lists it.

    The project is needed because a legacy sdist's name does not tell where the project ends and the version begins.
    Raises InvalidName for a name that could harm a path, a header or a page, or that names another project.
    """
    if filename.endswith(".whl"):
        parsed = _parse_wheel(filename)
    elif not is_filename(filename):
        raise InvalidName(f"{filename[:80]!r} is not a distribution's file name")
    elif filename.endswith((".tar.gz", ".zip")):
        parsed = _parse_sdist(filename, project)
    else:
        parsed = _parse_legacy(filename, project)
    if parsed.project != project:
        raise InvalidName(f"{filename!r} names the project {parsed.project!r}, not {project!r}")
    return parsed


def possible_projects(filename: str) -> list[str]:
    """Return the projects that a file name could belong to, likeliest first, for an address that names no project."""
    if filename.endswith(".whl"):
        return [_parse_wheel(filename).project]
    if not is_filename(filename):
        raise InvalidName(f"{filename[:80]!r} is not a distribution's file name")
    parts = filename.split("-")
    found: list[str] = []
    for end in range(len(parts) - 1, 0, -1):
        try:
            name = normalise("-".join(parts[:end]))
        except InvalidName:
            continue
        if name not in found and parts[end][:1].isdigit():
            found.append(name)
    return found[:3]


def _parse_wheel(filename: str) -> FileName:
    parts = _WHEEL.fullmatch(filename)
    if parts is None or len(filename) > MAX_FILENAME_LENGTH:
        form = "name-version[-build]-python-abi-platform.whl"
        raise InvalidName(f"{filename[:MAX_FILENAME_LENGTH]!r} is not a wheel's file name ({form})")
    name, spelling = parts.groups()
    version = canonical_version(spelling)
    if version is None:
        raise InvalidName(f"{filename!r} has no PEP 440 version")
    return FileName(FileKind.WHEEL, normalise(name), version)


def _parse_sdist(filename: str, project: str) -> FileName:
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    name, rest = _split_at_project(stem, project)
    return FileName(FileKind.SDIST, name, canonical_version(rest))


def _parse_legacy(filename: str, project: str) -> FileName:
    lowered = filename.lower()
    suffix = next((known for known in _LEGACY_SUFFIXES if lowered.endswith(known)), None)
    if suffix is None:
        raise InvalidName(f"{filename!r} is neither a wheel nor an sdist")
    name, rest = _split_at_project(filename[: -len(suffix)], project)
    # Built forms append words to the version: after a hyphen, as in name-1.0-py2.7, they are told apart; after a dot,
    # as in name-1.0.win32, they leave the version unknown.
    return FileName(FileKind.OTHER, name, canonical_version(rest) or canonical_version(rest.split("-")[0]))


def _split_at_project(stem: str, project: str) -> tuple[str, str]:
    """Split "name-version" where the part before the hyphen is the project; else at the last hyphen."""
    at = -1
    while (at := stem.find("-", at + 1)) != -1:
        try:
            if normalise(stem[:at]) == project:
                return project, stem[at + 1 :]
        except InvalidName:
            continue
    name, _, rest = stem.rpartition("-")
    return normalise(name or stem), rest
