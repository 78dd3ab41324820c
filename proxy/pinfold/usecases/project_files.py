"""The files of a project that can be judged, as its listing has them: the same for whatever they are judged on."""

from collections.abc import Sequence
from functools import cached_property
from heapq import nlargest
from typing import Self
from urllib.parse import urlsplit

from pinfold.domain.listing import Listing
from pinfold.domain.project import File
from pinfold.domain.release_lines import born
from pinfold.usecases.previous_releases import PreviousReleases

IN_THREAD_ABOVE = 200
"""Projects with more files, or versions, are judged and rendered in a thread: at some 10 microseconds a file they would
hold the loop."""
LOCATIONS_AT_ONCE = 20
"""Addresses of the project elsewhere (PEP 708), of up to 4 KB each, that are rendered on the event loop."""


class ProjectFiles:
    """Files by position: those that the upstream lists, in its order, then those that it took away.

    What is found here is laid out once for each listing, of thousands of files in milliseconds.
    """

    def __init__(self, files: Sequence[File], listed: int) -> None:
        """Take in files of which the first so many are `listed`."""
        self.files = files
        self._listed = listed

    @classmethod
    def of(cls, listing: Listing) -> Self:
        """Return the files of a listing."""
        listed = listing.project.files
        return cls((*listed, *listing.vanished_files()), len(listed))

    def is_vanished(self, position: int) -> bool:
        """Tell whether the upstream took a file away."""
        return position >= self._listed

    def named(self, filename: str) -> int | None:
        """Return the position of a file."""
        return self._positions.get(filename)

    def file(self, filename: str) -> File | None:
        """Return the file of a name."""
        position = self.named(filename)
        return None if position is None else self.files[position]

    def at_upstream_path(self, path: str) -> File | None:
        """Return the file that the upstream keeps at a path of its file host, whichever host that is.

        The path ends with the file's name, as those of PyPI do.
        """
        file = self.file(path.rpartition("/")[2])
        return file if file is not None and urlsplit(file.url).path == path else None

    def newest(self, count: int) -> list[int]:
        """Return the positions of the listed files that came last, newest first."""
        return nlargest(count, range(self._listed), key=lambda position: born(self.files[position]))

    @cached_property
    def releases(self) -> PreviousReleases:
        """The files in the order of their versions."""
        return PreviousReleases(self.files)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {file.filename: position for position, file in enumerate(self.files)}


def takes_long(listing: Listing) -> bool:
    """Tell whether to judge a project, or to render it, would hold up the event loop."""
    project = listing.project
    # What the upstream took away is judged as well, and what it says besides files has no other bounds.
    parts = (project.files, listing.sightings, project.versions)
    locations = len(project.tracks) + len(project.alternate_locations)
    return any(len(part) > IN_THREAD_ABOVE for part in parts) or locations > LOCATIONS_AT_ONCE
