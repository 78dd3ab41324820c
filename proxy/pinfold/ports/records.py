"""The port to quarantine records, waivers and publishers."""

from datetime import datetime
from typing import Protocol

from pinfold.domain.audit_entry import Entry
from pinfold.domain.records import PublisherRecord, QuarantineRecord, Records, Waiver


class RecordStore(Protocol):
    """Records that any process may change; each change and its audit entry are one transaction.

    Every method raises StoreError when the store fails: a decision without the records is no decision.
    """

    async def current(self) -> Records:
        """Return all that is in force, no staler than a fraction of a second whichever process changed it."""
        ...

    async def add_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        """Add a record, under an id that none has."""
        ...

    async def close_quarantine(self, record: QuarantineRecord, entry: Entry) -> None:
        """Store a record's new state; raises NotFound where no record with its id is held."""
        ...

    async def quarantine_history(self) -> list[QuarantineRecord]:
        """Return every record there ever was, oldest first."""
        ...

    async def add_waiver(self, waiver: Waiver, entry: Entry) -> None:
        """Add a waiver, under an id that none has."""
        ...

    async def revoke_waiver(self, waiver_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a waiver; raises NotFound where none with the id stands."""
        ...

    async def waiver_history(self) -> list[Waiver]:
        """Return every waiver there ever was, oldest first."""
        ...

    async def add_publisher(self, record: PublisherRecord, entry: Entry) -> None:
        """Add a publisher that was pinned or accepted, under an id that none has."""
        ...

    async def revoke_publisher(self, record_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a pin or an acceptance; raises NotFound where none with the id stands."""
        ...

    async def publisher_history(self) -> list[PublisherRecord]:
        """Return every pin and acceptance there ever was, oldest first."""
        ...
