"""The ports to advisory feeds: where records come from, and where they are kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.advisories.osv_record import Record
from pinfold.domain.advisory import ProjectClaims, Snapshot
from pinfold.domain.evidence import Item

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how far it is, and how far it goes where that is known."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole feed, ready to be read."""

    records: Iterable[bytes]
    """Each record's JSON; blocking, and raises FeedError."""
    mark: str
    """What to show the source next time, so that it can say that nothing changed; an ETag, or what stands for one."""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ChangeList:
    """The records that changed since a moment, by id, with the moment of each change."""

    changed: Mapping[str, datetime]
    mark: str


class FeedSource(Protocol):
    """Where one feed comes from. Every method raises FeedError."""

    @property
    def name(self) -> str:
        """The feed's name in the settings."""
        ...

    @property
    def address(self) -> str:
        """The path or URL."""
        ...

    def whole(self, mark: str, progress: Progress) -> AbstractAsyncContextManager[Whole | None]:
        """Open the whole feed; None where it is still what it was at the mark."""
        ...

    async def changes(self, mark: str, since: datetime) -> ChangeList | None:
        """Return what changed since a moment; None where the source cannot tell: then the whole has to be read."""
        ...

    async def record(self, record_id: str) -> bytes | None:
        """Return a record's JSON; None where the source does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is known of one feed."""

    snapshot: Snapshot | None = None
    """None until the feed was loaded for the first time."""
    address: str = ""
    """Where it was loaded from."""
    mark: str = ""
    """Of the whole feed."""
    changes_mark: str = ""
    newest: datetime | None = None
    """When the last modified of its records was."""
    checked_at: datetime | None = None
    """When the source last stated, or confirmed, what it holds."""
    whole_at: datetime | None = None
    """When that was last said of the feed as a whole."""
    skipped: int = 0
    """Records of the whole feed that could not be read."""
    failed_at: datetime | None = None
    failure: str = ""
    """Why the last attempt failed; empty after one that did not."""
    alarmed_at: datetime | None = None
    """When somebody was last told that the snapshot is stale."""


class AdvisoryStore(Protocol):
    """The feeds' records, shared by all processes. Every method raises StoreError when the store fails."""

    async def about(self, project: str) -> Item[ProjectClaims]:
        """Return what the feeds hold on a project, of one moment no older than a fraction of a second.

        Unknown until each feed was loaded once. The same object is returned for as long as nothing changes.
        """
        ...

    async def state(self, feed: str) -> FeedState:
        """Return what is known of a feed."""
        ...

    async def save(self, feed: str, state: FeedState) -> None:
        """Note what else is known of a feed, its contents apart."""
        ...

    async def modified(self, feed: str, ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return when records were modified, as far as the feed has them."""
        ...

    async def load(self, feed: str, records: Iterable[Record]) -> int:
        """Keep a whole feed aside, from an iterable that blocks; return its number, for `switch`."""
        ...

    async def switch(self, feed: str, generation: int, at: datetime) -> Snapshot:
        """Put a whole feed in the place of the present one, in all processes at once."""
        ...

    async def discard(self, generation: int) -> None:
        """Forget a whole feed that was kept aside."""
        ...

    async def apply(self, feed: str, records: Sequence[Record], at: datetime) -> Snapshot:
        """Put single records in the place of the present ones, all at once."""
        ...
