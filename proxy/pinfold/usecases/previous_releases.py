"""Which file of an earlier release a file is best compared with: like with like."""

import re
from collections.abc import Iterable, Iterator, Sequence

from packaging.version import Version

from pinfold.domain.names import FileKind, parse_version
from pinfold.domain.project import File
from pinfold.domain.release_lines import BEGINNING

MODELS = 4
"""Files in use that tell which ones of a later release will be asked for: platforms and interpreters differ."""
_LAST = Version("9999!0")
_TAG_PARTS = re.compile(r"[-._]")


class PreviousReleases:
    """The files of a project in the order of their versions."""

    def __init__(self, files: Sequence[File], among: Iterable[int] | None = None) -> None:
        """Take in all of some files, or those `among` them at some positions in order."""
        self._files = files
        versions: dict[Version, list[int]] = {}
        for position in range(len(files)) if among is None else among:
            if (text := files[position].version) and (version := parse_version(text)):
                versions.setdefault(version, []).append(position)
        self._releases = sorted(versions.items(), reverse=True)

    def preferred(self) -> Iterator[int]:
        """Yield positions as installers prefer their releases: newest first, and pre-releases after all others."""
        for is_prerelease in (False, True):
            for version, positions in self._releases:
                if version.is_prerelease is is_prerelease:
                    yield from positions

    def order(self, positions: Sequence[int]) -> list[int]:
        """Return positions with earlier releases first, so that what a file is compared with comes before it."""
        return sorted(positions, key=lambda position: (_version(self._files[position]), position))

    def before(self, file: File) -> Iterator[int]:
        """Yield the positions of files of the same kind in earlier releases, uploaded no later than the file.

        The newest release comes first, and in each release the file that resembles this one most.
        """
        own = _version(file)
        for version, positions in self._releases:
            if version < own:
                alike = [position for position in positions if self._is_before(position, file)]
                yield from sorted(alike, key=lambda position: -likeness(self._files[position], file))

    def _is_before(self, position: int, file: File) -> bool:
        other = self._files[position]
        return other.kind is file.kind and (
            file.upload_time is None or (other.upload_time or BEGINNING) <= file.upload_time
        )


def _version(file: File) -> Version:
    """Return a file's version; one that nobody can tell comes after all others."""
    return (parse_version(file.version) if file.version else None) or _LAST


def later_files(files: Sequence[File], used: Sequence[File]) -> list[File]:
    """Return, newest first, the files of later releases that resemble most what is in use of a project."""
    models = sorted(used, key=_version, reverse=True)[:MODELS]
    oldest = min(map(_version, models), default=_LAST)
    later: dict[Version, list[File]] = {}
    for file in files:
        if oldest < _version(file) < _LAST:
            later.setdefault(_version(file), []).append(file)
    found: dict[File, None] = {}
    for version, release in sorted(later.items(), reverse=True):
        for model in models:
            alike = [file for file in release if file.kind is model.kind]
            if alike and version > _version(model):
                found[max(alike, key=lambda file: likeness(file, model))] = None
    return list(found)


def likeness(one: File, other: File) -> float:
    """Tell how much the tags of two wheels have in common, from 0 to 1; sdists are all alike."""
    mine, others = _tags(one), _tags(other)
    return len(mine & others) / (len(mine | others) or 1)


def _tags(file: File) -> frozenset[str]:
    if file.kind is not FileKind.WHEEL:
        return frozenset()
    return frozenset(_TAG_PARTS.split("-".join(file.filename.removesuffix(".whl").split("-")[-3:])))
