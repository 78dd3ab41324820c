"""TARGETs: the one way in which people name a project, a release, a file or some bytes."""

import re
from dataclasses import dataclass
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pinfold.domain.errors import InvalidName, InvalidTarget
from pinfold.domain.names import FILE_SUFFIXES, normalise, parse_filename, parse_version, possible_projects
from pinfold.domain.project import File

MAX_TARGET_LENGTH = 512
"""Below the thousands of digits at which a version's numbers can no longer be read."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RELEASE = re.compile(r"\s*([A-Za-z0-9._-]+?)\s*((?:===|[~=!<>]=|[<>]).*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProjectTarget:
    """A whole project."""

    project: str

    def __str__(self) -> str:
        return self.project

    def covers(self, project: str, file: File) -> bool:  # noqa: ARG002 - every target answers the same question
        """Tell whether a project's file is meant."""
        return project == self.project


@dataclass(frozen=True, slots=True)
class ReleaseTarget:
    """The releases of a project that a PEP 440 specifier admits, pre-releases included."""

    project: str
    specifier: str

    def __str__(self) -> str:
        return f"{self.project}{self.specifier}"

    def covers(self, project: str, file: File) -> bool:
        """Tell whether a project's file is meant.

        A file whose name carries no version is meant by every release of its project: what cannot be told apart is
        held together.
        """
        if project != self.project:
            return False
        return self.admits(file.version)

    def admits(self, version: str | None) -> bool:
        """Tell whether a version of the project is meant; None is what a file name without one has."""
        parsed = parse_version(version) if version else None
        return parsed is None or _specifiers(self.specifier).contains(parsed, prereleases=True)


@dataclass(frozen=True, slots=True)
class FileTarget:
    """One file name of a project."""

    project: str
    filename: str

    def __str__(self) -> str:
        return self.filename

    def covers(self, project: str, file: File) -> bool:  # noqa: ARG002 - a file name names its project
        """Tell whether a project's file is meant."""
        return file.filename == self.filename


@dataclass(frozen=True, slots=True)
class HashTarget:
    """Exact bytes, under whatever name."""

    sha256: str
    project: None = None

    def __str__(self) -> str:
        return f"sha256:{self.sha256}"

    def covers(self, project: str, file: File) -> bool:  # noqa: ARG002 - the bytes decide, not the name
        """Tell whether a project's file is meant."""
        return file.sha256 == self.sha256


Target = ProjectTarget | ReleaseTarget | FileTarget | HashTarget


@lru_cache(maxsize=4096)
def _specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(text)


def parse_target(text: str) -> Target:
    """Return what a TARGET names; raise InvalidTarget with an example for what names nothing."""
    text = text.strip()
    if len(text) > MAX_TARGET_LENGTH:
        raise InvalidTarget(f"{text[:80]!r} and so on: a target has {MAX_TARGET_LENGTH} characters at most")
    if text.lower().startswith("sha256:"):
        digest = text[7:].strip().lower()
        if not _SHA256.fullmatch(digest):
            raise InvalidTarget(f"{text!r} is not a hash: write sha256: and 64 hexadecimal digits")
        return HashTarget(digest)
    try:
        if text.lower().endswith(FILE_SUFFIXES):
            return FileTarget(_project_of(text), text)
        if release := _RELEASE.fullmatch(text):
            return ReleaseTarget(normalise(release[1]), str(SpecifierSet(release[2])))
        return ProjectTarget(normalise(text))
    except InvalidSpecifier as error:
        raise InvalidTarget(
            f"{text!r}: {error}; write a release as litellm==1.82.8 or litellm>=1.82.7,<1.82.9"
        ) from error
    except InvalidName as error:
        raise InvalidTarget(
            f"{error}; a target is a project (litellm), a release (litellm==1.82.8), a file name or sha256:<hex>"
        ) from error


def _project_of(filename: str) -> str:
    projects = possible_projects(filename)
    if not projects:
        raise InvalidName(f"{filename!r} does not tell which project it belongs to")
    return parse_filename(filename, projects[0]).project
