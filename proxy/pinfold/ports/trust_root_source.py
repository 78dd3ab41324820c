"""The port to what hands out trust roots."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Refreshment:
    """What came of refreshing the trust root, by whichever process."""

    checked_at: datetime | None = None
    """When the source last confirmed what it hands out, or handed out another one."""
    failed_at: datetime | None = None
    failure: str = ""
    """Why the last attempt failed; empty after one that did not."""


class TrustRootSource(Protocol):
    """Where newer trust roots come from. Every method raises TrustRootError."""

    @property
    def address(self) -> str:
        """Where that is."""
        ...

    async def state(self) -> Refreshment:
        """Return what came of the refreshes so far."""
        ...

    async def refresh(self) -> None:
        """Put the trust root as of now in its place; where that fails, note why, and leave the last good one there."""
        ...
