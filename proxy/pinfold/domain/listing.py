"""What this installation has seen of a project over time: the memory behind first sightings and vanished files."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from msgspec import Struct, structs

from pinfold.domain.project import File, Project, StatusMarker


class Sighting(Struct, frozen=True, gc=False):
    """When a file was first seen under its name, and with which bytes."""

    first_seen: datetime
    sha256: str
    """The hash at the first sighting; it never changes, whatever the upstream says later."""
    vanished_at: datetime | None = None
    """When the upstream was first seen not to list the file any more."""
    listed_until: datetime | None = None
    """When the upstream was last seen to list a file that has vanished: it went between then and `vanished_at`."""
    last_entry: File | None = None
    """What the upstream last said of a file that has vanished, so that it can still be judged and served."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Listing:
    """One project of one upstream: what the upstream says now, and what was seen of it before."""

    project: Project
    fetched_at: datetime
    """When the upstream last stated or confirmed the page."""
    missing: bool = False
    """The upstream has no such project (any more)."""
    sightings: dict[str, Sighting] = field(default_factory=dict)
    """By file name; grows only."""
    status_since: datetime | None = None
    """When the project's current PEP 792 status was first seen; None while it is active."""

    def vanished_files(self) -> list[File]:
        """Return the last known entries of files that the upstream took away again."""
        return [seen.last_entry for seen in self.sightings.values() if seen.last_entry is not None]

    def with_file(self, file: File) -> "Listing":
        """Return the same as if one more file were listed, and was first seen when it was uploaded."""
        files = (*self.project.files, file)
        sighting = Sighting(file.upload_time or self.fetched_at, file.sha256)
        sightings = {**self.sightings, file.filename: sighting}
        return replace(self, project=replace(self.project, files=files), missing=False, sightings=sightings)

    def condensed(self) -> "Listing":
        """Return the same in a fifth less memory: names, hashes and moments that were read twice are one object."""
        entries = {file.filename: file for file in self.project.files}
        sightings, first_seen = {}, self.fetched_at
        for filename, seen in self.sightings.items():
            entry = entries.get(filename, seen.last_entry)
            # Most files of a page were first seen together.
            if seen.first_seen != first_seen:
                first_seen = seen.first_seen
            if entry is None or entry.sha256 != seen.sha256:
                sightings[filename] = seen
            else:
                sightings[entry.filename] = Sighting(
                    first_seen, entry.sha256, seen.vanished_at, seen.listed_until, seen.last_entry
                )
        return replace(self, sightings=sightings)


def observe(previous: Listing | None, project: Project, at: datetime, *, missing: bool = False) -> Listing:
    """Return what is known of a project after its upstream's page was seen at a moment.

    Pure: the catalog calls it inside its own transaction, so that processes that refresh at once lose no sighting.
    """
    sightings = dict(previous.sightings) if previous else {}
    before = {file.filename: file for file in previous.project.files} if previous else {}
    for file in project.files:
        seen = sightings.get(file.filename)
        if seen is None:
            sightings[file.filename] = Sighting(first_seen=at, sha256=file.sha256)
        elif seen.vanished_at is not None:
            sightings[file.filename] = Sighting(first_seen=seen.first_seen, sha256=seen.sha256)
    for filename in before.keys() - {file.filename for file in project.files}:
        sightings[filename] = structs.replace(
            sightings[filename],
            vanished_at=at,
            listed_until=previous.fetched_at if previous else None,
            last_entry=before[filename],
        )
    listing = Listing(
        project=project,
        fetched_at=at,
        missing=missing,
        sightings=sightings,
        status_since=_status_since(previous, project, at),
    )
    return listing.condensed() if previous else listing


def _status_since(previous: Listing | None, project: Project, at: datetime) -> datetime | None:
    if project.status.marker is StatusMarker.ACTIVE:
        return None
    if previous is not None and previous.project.status.marker is project.status.marker:
        return previous.status_since
    return at
