"""What an uploaded archive says of itself, held against its name and against what the client says of it."""

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.metadata import InvalidMetadata, Metadata, parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, parse_tag
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from pinfold.domain.distribution import MOST_TAGS, Distribution, count_tags
from pinfold.domain.errors import InvalidName, InvalidUpload
from pinfold.domain.names import FileKind, normalise

LARGEST = 1 << 20
"""Bytes of METADATA, PKG-INFO or WHEEL; inspections read no more either."""
_FIELDS = ("metadata_version", "name", "version", "requires_python", "requires_dist", "provides_extra", "summary")
"""Those that somebody acts upon. Tools of today still write others that are wrong in the letter."""
_SHOWN = 3
_UNREADABLE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, ValueError, RuntimeError, ArithmeticError, LookupError),
)
"""What zipfile and tarfile make of damaged archives."""


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The metadata in an archive (core metadata specification), found to be of the release that its name tells."""

    content: bytes
    requires_python: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What the client says of a file, in the form's own words; empty where it says nothing."""

    name: str
    version: str
    filetype: str = ""
    requires_python: str = ""


_FILETYPES = {FileKind.WHEEL: "bdist_wheel", FileKind.SDIST: "sdist"}


def check_statement(stated: Statement, distribution: Distribution) -> None:
    """Raise InvalidUpload where the form is about something else than the file's name."""
    project = _project(stated.name)
    if project != distribution.project:
        raise InvalidUpload(f"The file name is {distribution.project}'s, the form is about {project}")
    if _version(stated.version) != Version(distribution.version):
        raise InvalidUpload(
            f"Version in filename should be {stated.version[:60]!r} not {distribution.version!r}"
            if stated.version
            else "The form states no version"
        )
    if stated.filetype and stated.filetype != _FILETYPES[distribution.kind]:
        raise InvalidUpload(f"Invalid value for filetype: {distribution.filename} is a {distribution.kind}")


def read_metadata(path: Path, distribution: Distribution, stated: Statement) -> CoreMetadata:
    """Return an archive's metadata; blocking. The archive was inspected, so that it is within limits.

    Raises InvalidUpload where there is none, it is invalid, or it contradicts the file's name or the form.
    """
    try:
        if distribution.kind is FileKind.WHEEL:
            content = _in_wheel(path, distribution)
        else:
            content = _in_sdist(path, is_zip=distribution.filename.endswith(".zip"))
    except _UNREADABLE as error:
        raise InvalidUpload(f"Invalid distribution file: {error}") from error
    metadata = _parsed(content)
    if _project(metadata.name) != distribution.project:
        raise InvalidUpload(f"The file's metadata is {metadata.name!r}'s, its name is {distribution.project}'s")
    if metadata.version != Version(distribution.version):
        raise InvalidUpload(f"The file's metadata is of version {metadata.version}, its name of {distribution.version}")
    requires_python = str(metadata.requires_python) if metadata.requires_python is not None else None
    if stated.requires_python and _specifiers(stated.requires_python) != metadata.requires_python:
        raise InvalidUpload(
            f"The form says Requires-Python {stated.requires_python[:60]!r}, the file {requires_python}"
        )
    return CoreMetadata(content, requires_python)


def _parsed(content: bytes) -> Metadata:
    try:
        raw, _ = parse_email(content)
        metadata = Metadata.from_raw(raw, validate=False)
    except (ExceptionGroup, ValueError, RecursionError) as error:
        raise InvalidUpload(f"The file's metadata cannot be read: {error}") from error
    problems = []
    for field in _FIELDS:
        try:
            getattr(metadata, field)
        except InvalidMetadata as error:
            problems.append(str(error))
        except (ValueError, RecursionError) as error:
            problems.append(f"{field}: {type(error).__name__}")
    if problems:
        raise InvalidUpload(f"The file's metadata is invalid: {'; '.join(problems[:_SHOWN])}")
    return metadata


def _in_wheel(path: Path, distribution: Distribution) -> bytes:
    with zipfile.ZipFile(path) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist() if name.count("/") == 1}
        own = [folder for folder in folders if folder.endswith(".dist-info")]
        if len(own) != 1:
            raise InvalidUpload(f"Invalid distribution file: {len(own)} .dist-info folders in place of one")
        metadata = _member(archive, f"{own[0]}/METADATA")
        _check_tags(_member(archive, f"{own[0]}/WHEEL"), distribution.filename)
        return metadata


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise InvalidUpload(f"Invalid distribution file: there is no {name}") from error
    with archive.open(info) as member:
        return _bounded(member, name)


def _check_tags(wheel: bytes, filename: str) -> None:
    """Compare the tags that a wheel states with those of its name, which installers choose it by."""
    lines = wheel.decode("utf-8", "replace").splitlines()
    stated = _tags(line.partition(":")[2].strip() for line in lines if line.lower().startswith("tag:"))
    named = parse_wheel_filename(filename)[3]
    if stated and stated != named:
        raise InvalidUpload(f"The file's name has the tags {_listed(named)}, while the wheel states {_listed(stated)}")


def _tags(texts: Iterable[str]) -> frozenset[Tag]:
    tags: set[Tag] = set()
    for text in texts:
        if text.count("-") != 2:
            continue
        if len(tags) + count_tags(text) > MOST_TAGS:
            raise InvalidUpload(f"Invalid distribution file: the wheel states more than {MOST_TAGS} tags")
        tags |= parse_tag(text)
    return frozenset(tags)


def _listed(tags: Iterable[Tag]) -> str:
    return ", ".join(sorted(map(str, tags))[:_SHOWN])


def _in_sdist(path: Path, *, is_zip: bool) -> bytes:
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if _is_pkg_info(name):
                    return _member(archive, name)
    else:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.isreg() and _is_pkg_info(member.name) and (file := archive.extractfile(member)) is not None:
                    return _bounded(file, member.name)
    raise InvalidUpload("Invalid distribution file: the sdist has no PKG-INFO")


def _is_pkg_info(name: str) -> bool:
    parts = name.removeprefix("./").split("/")
    return len(parts) == 2 and parts[1] == "PKG-INFO"


def _bounded(file: IO[bytes], name: str) -> bytes:
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InvalidUpload(f"Invalid distribution file: {name} has more than {LARGEST} bytes")
    return content


def _project(name: str) -> str:
    try:
        return normalise(name)
    except InvalidName as error:
        raise InvalidUpload(f"Invalid value for name: {error}") from error


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return None


def _specifiers(text: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except (InvalidSpecifier, ValueError) as error:
        raise InvalidUpload(f"Invalid value for requires_python: {text[:60]!r}") from error
