"""The port to the memory of which provenance was verified, and of the documents that it came in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.domain.evidence import Item
from pinfold.domain.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Checked:
    """What a provenance document was found to prove of a file."""

    filename: str
    sha256: str
    """Of the file, in lower-case hexadecimal, like all hashes here."""
    document: str
    """The sha256 of the provenance document."""
    trust_root: str
    """The sha256 of the trust root that it was verified with."""
    checked_at: datetime
    result: Item[Provenance]


class ProvenanceStore(Protocol):
    """Results by project, file, document and trust root. Every method raises StoreError when the store fails."""

    async def revision(self, project: str) -> int:
        """Return a number that grows with all that any process remembers of a project; cheap enough for every request.

        It may be a fraction of a second old, except for what was remembered here, and may grow without news.
        """
        ...

    async def results(self, project: str, after: int = 0) -> list[Checked]:
        """Return what was found out of a project's files after a revision, in the order in which it was remembered.

        Nothing of it is missing that the project's revision, as it is told at this moment, has risen by.
        """
        ...

    async def remember(self, project: str, checked: Checked, content: bytes) -> None:
        """Keep a result and the content of its document; a result with the same four keys is replaced."""
        ...

    async def document(self, digest: str) -> bytes | None:
        """Return a document by its sha256, or None where it is not kept."""
        ...
