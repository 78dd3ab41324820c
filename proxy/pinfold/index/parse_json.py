"""The JSON representation of an index's pages (PEP 691, with PEP 700, 708, 714, 740 and 792), read."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Raw, structs

from pinfold.domain.errors import InvalidName, InvalidPage
from pinfold.domain.names import normalise
from pinfold.domain.project import Project, RejectedEntry
from pinfold.index.details import MAX_NAMES, check_api_version, read_locations, read_status, read_versions
from pinfold.index.entries import MAX_FILES, FileEntry, UntimedEntry, admit, reject
from pinfold.index.sanitise import clean

_OBJECTS: Final = 4
"""In an entry, as PyPI writes it."""
_SHORTEST: Final = len('{"filename":"","url":"","hashes":{}}')

T = TypeVar("T")
Entry = TypeVar("Entry", FileEntry, Raw)


class _Meta(msgspec.Struct, rename="kebab"):
    api_version: str = "1.0"
    tracks: list[str] | None = None


class _Status(msgspec.Struct):
    status: str | None = None
    reason: str | None = None


class _ProjectPage(msgspec.Struct, Generic[Entry], rename="kebab"):
    name: str
    files: list[Entry]
    meta: _Meta = msgspec.field(default_factory=_Meta)
    versions: list[str] | None = None
    project_status: _Status | None = None
    alternate_locations: list[str] | None = None


class _Named(msgspec.Struct):
    name: str


class _NamesPage(msgspec.Struct):
    projects: list[_Named]
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _FileNamed(msgspec.Struct):
    filename: str


# Nearly every page is well-formed, and decoded at once. On any other, entries are decoded one by one, so that one of a
# wrong type costs that entry and not the page.
_WELL_FORMED_PAGE = msgspec.json.Decoder(_ProjectPage[FileEntry])
_PROJECT_PAGE = msgspec.json.Decoder(_ProjectPage[Raw])
_NAMES_PAGE = msgspec.json.Decoder(_NamesPage)
_FILE_ENTRY = msgspec.json.Decoder(FileEntry)
_UNTIMED_ENTRY = msgspec.json.Decoder(UntimedEntry)
_FILE_NAMED = msgspec.json.Decoder(_FileNamed)


def parse_project_json(body: bytes, *, project: str, base_url: str) -> Project:
    """Return what a project page in JSON says.

    `project` is the normalised name that was asked for; `base_url` the address that the page came from, without
    credentials, for relative addresses to start at. Raises InvalidPage for what is no page of this project.
    """
    page, entries = _read(body)
    check_api_version(page.meta.api_version)
    if _normalised(page.name) != project:
        raise InvalidPage(f"the page is that of {clean(page.name, 80)!r}, not of {project!r}")
    if len(page.files) > MAX_FILES:
        raise InvalidPage(f"the page lists {len(page.files)} files; more than {MAX_FILES} are not believed")
    files, rejected = admit(entries, project=project, base_url=base_url)
    status = page.project_status or _Status()
    return Project(
        name=project,
        files=files,
        versions=read_versions(page.versions or (), files),
        status=read_status(status.status, status.reason),
        tracks=read_locations(page.meta.tracks or (), base_url),
        alternate_locations=read_locations(page.alternate_locations or (), base_url),
        rejected=rejected,
    )


def parse_names_json(body: bytes) -> list[str]:
    """Return the projects that an index lists in JSON, normalised, without those whose names are none.

    Raises InvalidPage for what is no such list.
    """
    page = _decode(_NAMES_PAGE, body)
    check_api_version(page.meta.api_version)
    if len(page.projects) > MAX_NAMES:
        raise InvalidPage(f"the index lists {len(page.projects)} projects; more than {MAX_NAMES} are not believed")
    names = dict.fromkeys(_normalised(project.name) for project in page.projects)
    return [name for name in names if name is not None]


def _decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise InvalidPage(f"the answer is not an index page in JSON: {error}") from error


def _read(body: bytes) -> tuple[_ProjectPage[FileEntry] | _ProjectPage[Raw], Iterable[FileEntry | RejectedEntry]]:
    # What lists far more files than are believed is not worth the memory of their entries, only to be refused.
    if len(body) <= _SHORTEST * MAX_FILES or body.count(b"{") <= _OBJECTS * MAX_FILES:
        with suppress(ValueError, RecursionError):
            page = _WELL_FORMED_PAGE.decode(body)
            return page, page.files
    whatever = _decode(_PROJECT_PAGE, body)
    return whatever, _entries(whatever.files)


def _entries(raws: list[Raw]) -> Iterator[FileEntry | RejectedEntry]:
    for position, raw in enumerate(raws):
        try:
            yield _entry(raw)
        except (ValueError, RecursionError) as error:
            yield reject(_filename_of(raw, position), f"its entry is malformed: {error}")


def _entry(raw: Raw) -> FileEntry:
    try:
        return _FILE_ENTRY.decode(raw)
    except ValueError:
        # It may be the time alone that cannot be read.
        return FileEntry(**structs.asdict(_UNTIMED_ENTRY.decode(raw)))


def _filename_of(raw: Raw, position: int) -> str:
    try:
        return _FILE_NAMED.decode(raw).filename
    except (ValueError, RecursionError):
        return f"files[{position}]"


def _normalised(name: str) -> str | None:
    try:
        return normalise(name)
    except InvalidName:
        return None
