"""The port to the memory of what upstreams said, and when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pinfold.domain.listing import Listing
from pinfold.ports.upstream import Validators


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Stored:
    """A listing as the catalog keeps it."""

    listing: Listing
    validators: Validators
    fresh_until: datetime
    """Until then the upstream need not be asked again."""
    digest: bytes | None = field(default=None, compare=False)
    """The same wherever the very same was read or kept; None for what is not kept.

    When the upstream last confirmed the listing, and until when it is fresh, make no difference.
    """


class Catalog(Protocol):
    """One listing a project and upstream. Every method raises StoreError when the store fails."""

    async def load(self, upstream: str, project: str) -> Stored | None:
        """Return what is known of a project, or None where it was never asked for."""
        ...

    async def update(self, upstream: str, project: str, change: Callable[[Stored | None], Stored]) -> Stored:
        """Replace a listing by what a pure function makes of the present one, as one transaction over all processes.

        Where the function raises, nothing changes and the error comes through.
        """
        ...

    async def confirm(self, upstream: str, project: str, at: datetime, fresh_until: datetime) -> None:
        """Note that the upstream confirmed a listing, if there is one: unchanged, and fresh until a moment."""
        ...

    async def metadata_digests(self, project: str) -> dict[str, str | None]:
        """Return what was found out of a project's wheels: by wheel hash, the metadata's sha256, or None for none."""
        ...

    async def remember_metadata(self, project: str, wheel: str, metadata: bytes | None) -> None:
        """Keep what was found out of a wheel, given by its hash: its metadata, or that it carries none.

        What was kept of it before goes, unless it is another wheel's as well.
        """
        ...

    async def metadata(self, digest: str) -> bytes | None:
        """Return metadata by its sha256, which it has; None where none that is whole is kept."""
        ...
