"""A project's page as this index shows it to clients, before it takes on a representation."""

from dataclasses import dataclass, field

from msgspec import Struct

from pinfold.domain.project import File, UpstreamStatus


class ListedFile(Struct, frozen=True, gc=False):
    """A file with what this index, rather than the upstream, says of it."""

    file: File
    url: str
    """Relative to the page; ends in the file's name (PEP 503)."""
    yanked: str | None = None
    """A yank reason, possibly empty; None where the file is not shown as yanked."""
    core_metadata: str | bool = False
    """The sha256 of the metadata that this index serves, or whether it serves any."""
    provenance: str | bool = False
    """The URL of the PEP 740 provenance; True for the statement that there is none, False to state nothing."""


@dataclass(frozen=True, slots=True)
class ListedProject:
    """A project page."""

    name: str
    """Normalised."""
    files: tuple[ListedFile, ...] = ()
    versions: tuple[str, ...] = ()
    status: UpstreamStatus = field(default_factory=UpstreamStatus)
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
