"""An index's pages in JSON (PEP 691): version 1.4, with PEP 700, 708, 714, 740 and 792."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from pinfold.domain.project import StatusMarker, UpstreamStatus
from pinfold.index.page import ListedFile, ListedProject

API_VERSION: Final = "1.4"
"""What PEP 792 made of the simple repository API."""


class _Meta(msgspec.Struct, rename="kebab", omit_defaults=True):
    api_version: str
    tracks: tuple[str, ...] = ()


class _Hashes(msgspec.Struct, gc=False):
    sha256: str


class _Status(msgspec.Struct, gc=False):
    status: str
    reason: str | UnsetType = UNSET


class _File(msgspec.Struct, rename="kebab", gc=False):
    filename: str
    url: str
    hashes: _Hashes
    core_metadata: _Hashes | bool
    """The only name to use in JSON: released versions of pip fail on the one from before PEP 714."""
    yanked: str | bool
    requires_python: str | UnsetType
    size: int | UnsetType
    upload_time: datetime | UnsetType
    provenance: str | UnsetType | None


class _ProjectPage(msgspec.Struct, rename="kebab"):
    meta: _Meta
    name: str
    project_status: _Status | UnsetType
    versions: tuple[str, ...]
    alternate_locations: tuple[str, ...]
    files: tuple[()] = ()
    """Last, so that entries which are rendered already can be put where it ends."""


_encoder = msgspec.json.Encoder()


class _Named(msgspec.Struct, gc=False):
    name: str


class _NamesPage(msgspec.Struct):
    meta: _Meta
    projects: list[_Named]


def render_json(page: ListedProject) -> bytes:
    """Return a project page in JSON; the same page always gives the same bytes."""
    return json_page(page, map(json_entry, page.files))


def json_page(page: ListedProject, entries: Iterable[bytes]) -> bytes:
    """Return a project page of entries that are rendered already, those of its files, in their order."""
    empty = _encoder.encode(
        _ProjectPage(
            meta=_Meta(API_VERSION, page.tracks),
            name=page.name,
            project_status=_status(page.status),
            versions=page.versions,
            alternate_locations=page.alternate_locations,
        )
    )
    return b"%b%b]}" % (empty.removesuffix(b"]}"), b",".join(entries))


def json_entry(listed: ListedFile) -> bytes:
    """Return what a project page in JSON says of one file."""
    file = listed.file
    return _encoder.encode(
        _File(
            filename=file.filename,
            url=listed.url,
            hashes=_Hashes(file.sha256),
            core_metadata=(
                _Hashes(listed.core_metadata) if isinstance(listed.core_metadata, str) else listed.core_metadata
            ),
            yanked=False if listed.yanked is None else listed.yanked or True,
            requires_python=file.requires_python or UNSET,
            size=UNSET if file.size is None else file.size,
            upload_time=file.upload_time or UNSET,
            provenance=_provenance(listed.provenance),
        )
    )


def render_names_json(names: Iterable[str]) -> bytes:
    """Return the list of an index's projects in JSON."""
    return msgspec.json.encode(_NamesPage(_Meta(API_VERSION), [_Named(name) for name in names]))


def _status(status: UpstreamStatus) -> _Status | UnsetType:
    # A marker outside the specification would make strict clients refuse the page.
    if status.marker is StatusMarker.UNRECOGNISED:
        return UNSET
    return _Status(status.marker.value, status.reason or UNSET)


def _provenance(provenance: str | bool) -> str | UnsetType | None:  # noqa: FBT001 - as ListedFile has it
    if isinstance(provenance, str):
        return provenance
    return None if provenance else UNSET
