"""The port to evidence as it was when decisions were made on it."""

from collections.abc import Collection
from typing import Protocol

from pinfold.domain.evidence import Evidence


class EvidenceStore(Protocol):
    """Evidence by digest, kept once however many decisions rest on it; written with the entries that tell of them."""

    async def evidence(self, digests: Collection[str]) -> dict[str, Evidence]:
        """Return what is kept of some digests; raises StoreError where it is damaged, or the store fails."""
        ...
