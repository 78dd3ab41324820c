"""The port to the memory of what upstreams said, and when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.domain.listing import Listing
from pinfold.ports.upstream import Validators


@dataclass(frozen=True, slots=True)
class Stored:
    """A listing as the catalog keeps it."""

    listing: Listing
    validators: Validators
    fresh_until: datetime
    """Until then the upstream need not be asked again."""


class Catalog(Protocol):
    """One listing a project and upstream. Every method raises StoreError when the store fails."""

    async def load(self, upstream: str, project: str) -> Stored | None:
        """Return what is known of a project, or None where it was never asked for."""
        ...

    async def update(self, upstream: str, project: str, change: Callable[[Stored | None], Stored]) -> Stored:
        """Replace a listing by what a pure function makes of the present one, as one transaction over all processes."""
        ...

    async def touch(self, upstream: str, project: str, fresh_until: datetime) -> None:
        """Let a listing count as fresh until a moment, its content unchanged."""
        ...

    async def metadata_digest(self, sha256: str) -> str | None:
        """Return the sha256 of the metadata known for a wheel's bytes, or None."""
        ...

    async def metadata_digests(self, upstream: str, project: str) -> dict[str, str | None]:
        """Return, by wheel hash, the metadata digests found out for a project; None where a wheel carries no metadata."""
        ...

    async def remember_metadata(self, upstream: str, project: str, sha256: str, digest: str | None) -> None:
        """Keep what was found out of a wheel's metadata: its sha256, or that there is none."""
        ...
