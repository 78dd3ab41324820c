"""The port to pin sets and their versions."""

from typing import Protocol

from pinfold.domain.audit_entry import Entry
from pinfold.domain.pins import PinSet, PinSetVersion


class PinStore(Protocol):
    """Versions of pin sets, which only ever grow; every method raises StoreError when the store fails."""

    async def current(self, name: str) -> PinSet | None:
        """Return a set as it is now, no staler than a fraction of a second whichever process changed it.

        None where it was never imported, or is removed. The same object is returned for as long as nothing changes.
        """
        ...

    async def version(self, name: str, number: int) -> PinSet | None:
        """Return one version of a set, or None where there is none of that number."""
        ...

    async def history(self, name: str | None = None) -> list[PinSetVersion]:
        """Return every version of a set, or of all, in the order in which they were made."""
        ...

    async def add(self, pin_set: PinSet, entry: Entry) -> None:
        """Add the next version of a set and its audit entry, as one transaction.

        Raises InvalidRecord where somebody else added it first: what it would change has to be looked at again.
        """
        ...
