"""The port to what was published here."""

from collections.abc import Collection, Mapping
from typing import Protocol

from pinfold.domain.audit_entry import Entry
from pinfold.domain.published import Claim, Claims, Deletion, PublishedFile, PublishedProject


class PublishedStore(Protocol):
    """First-hand files and claimed names; each change and its audit entries are one transaction.

    Every method raises StoreError when the store fails.
    """

    async def current(self) -> Claims:
        """Return all claims, no staler than a fraction of a second whichever process made one."""
        ...

    async def project(self, index: str, project: str) -> PublishedProject | None:
        """Return everything that was published under a name of an index; None where it is not claimed."""
        ...

    async def slot(self, index: str, slot: str) -> PublishedFile | None:
        """Return the file that took a slot of an index, deleted or not; None where it is free."""
        ...

    async def publish(
        self, published: PublishedFile, provenance: bytes | None, claim: Claim, entries: Collection[Entry]
    ) -> None:
        """Make a file visible whose bytes are kept already, and claim its project's name unless that is done.

        Entries about the claim are appended where it is made. Raises AlreadyPublished where the slot is taken.
        """
        ...

    async def yank(
        self, index: str, project: str, yanked: Mapping[str, str | None], entries: Collection[Entry]
    ) -> None:
        """Set, by file name, why files are yanked (PEP 592); None takes it back.

        Raises NotFound where one of them is not published.
        """
        ...

    async def delete(
        self, index: str, project: str, filenames: Collection[str], deletion: Deletion, entries: Collection[Entry]
    ) -> None:
        """Take files away for good; their slots stay taken. Raises NotFound where one of them is not published."""
        ...

    async def provenance(self, index: str, filename: str) -> bytes | None:
        """Return the PEP 740 provenance that a file came with, if it came with any."""
        ...
