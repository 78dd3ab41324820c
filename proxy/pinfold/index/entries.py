"""From a page's entry to a file that can be judged, or to a rejected entry that says why: one way for JSON and HTML."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from pinfold.domain.errors import InvalidName
from pinfold.domain.names import MAX_FILENAME_LENGTH, parse_filename
from pinfold.domain.project import File, RejectedEntry
from pinfold.index.sanitise import MAX_TEXT, clean, web_address

MAX_FILES: Final = 200_000
"""Several times as many as the largest project has; a page with more is an attack or a mistake."""
MAX_SIZE: Final = 2**53 - 1
"""The largest size in bytes that every JSON parser reads exactly (RFC 8259, section 6)."""
SHARED: Final = 256
"""Texts of up to MAX_TEXT that are kept for the next files, most of which need the same Python."""

_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class Hashes(msgspec.Struct, gc=False):
    """The digests of a file; only sha256 is trusted, so only sha256 is read."""

    sha256: str | None = None


class UntimedEntry(msgspec.Struct, rename="kebab", gc=False):
    """What a project page says of one file, in the keys and types of the JSON representation (PEP 691, PEP 700)."""

    filename: str
    url: str
    hashes: Hashes
    requires_python: str | None = None
    core_metadata: bool | Hashes | None = None
    dist_info_metadata: bool | Hashes | None = None
    """The name of `core_metadata` before PEP 714."""
    yanked: bool | str | None = None
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)] | None = None
    provenance: str | UnsetType | None = UNSET


class FileEntry(UntimedEntry, rename="kebab", gc=False):
    """The same with the upload time, which may be missing evidence: no reason to reject a file."""

    upload_time: datetime | None = None


def admit(
    entries: Iterable[FileEntry | RejectedEntry], *, project: str, base_url: str
) -> tuple[tuple[File, ...], tuple[RejectedEntry, ...]]:
    """Return a page's files, in the page's order, and the entries that cannot be judged or verified.

    A file that is listed again with the same hash counts once, as first listed. With different hashes, nobody can tell
    which bytes are meant, so that the name is rejected altogether.
    """
    files: dict[str, File] = {}
    rejected: list[RejectedEntry] = []
    contradictory: dict[str, None] = {}
    for entry in entries:
        outcome = _read(entry, project, base_url) if isinstance(entry, FileEntry) else entry
        if isinstance(outcome, RejectedEntry):
            rejected.append(outcome)
        elif files.setdefault(outcome.filename, outcome).sha256 != outcome.sha256:
            contradictory[outcome.filename] = None
    for filename in contradictory:
        del files[filename]
        rejected.append(RejectedEntry(filename, "the page lists it with different hashes"))
    return tuple(files.values()), tuple(rejected)


def reject(filename: str, why: str) -> RejectedEntry:
    """Return an entry as rejected, its name and the reason made harmless."""
    return RejectedEntry(clean(filename, MAX_FILENAME_LENGTH), clean(why))


def _read(entry: FileEntry, project: str, base_url: str) -> File | RejectedEntry:
    try:
        name = parse_filename(entry.filename, project)
    except InvalidName as error:
        return reject(entry.filename, str(error))
    sha256 = _sha256(entry.hashes)
    if sha256 is None:
        return reject(entry.filename, "the page gives no sha256 for it, so that nothing could vouch for its bytes")
    url = web_address(entry.url, base_url)
    if url is None:
        return reject(entry.filename, "its address is no plain http or https URL")
    metadata = entry.core_metadata if entry.core_metadata is not None else entry.dist_info_metadata
    return File(
        filename=entry.filename,
        url=url,
        sha256=sha256,
        kind=name.kind,
        version=name.version,
        size=entry.size,
        upload_time=_in_utc(entry.upload_time),
        requires_python=_requires_python(entry.requires_python),
        yanked=_yanked(entry.yanked) if entry.yanked else None,
        core_metadata=_sha256(metadata) or True if isinstance(metadata, Hashes) else bool(metadata),
        provenance=_provenance(entry.provenance, base_url),
    )


def _sha256(hashes: Hashes) -> str | None:
    digest = hashes.sha256
    return digest.lower() if digest is not None and _SHA256.fullmatch(digest) else None


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None


def _requires_python(text: str | None) -> str | None:
    # A specifier that is cut short would mean something else.
    return _shared(text) or None if text is not None and len(text) <= MAX_TEXT else None


_shared = lru_cache(SHARED)(clean)


def _yanked(yanked: bool | str) -> str:  # noqa: FBT001 - PEP 691 has it so
    return clean(yanked) if isinstance(yanked, str) else ""


def _provenance(provenance: str | UnsetType | None, base_url: str) -> str | bool:
    """Return the address of the provenance; True for the index's word that there is none, False where it is silent.

    An address that cannot be asked is silence: what is missing must be found out, not taken for a "no".
    """
    if isinstance(provenance, str):
        return bool(provenance) and (web_address(provenance, base_url) or False)
    return provenance is None
