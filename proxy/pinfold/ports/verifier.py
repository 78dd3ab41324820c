"""The port to the verification of provenance."""

from typing import Protocol

from pinfold.domain.evidence import Item
from pinfold.domain.provenance import Provenance, TrustRoot


class ProvenanceVerifier(Protocol):
    """Tells what a provenance document proves of a file that need not be at hand."""

    async def trust_root(self) -> TrustRoot:
        """Tell what is verified with, until it is renewed; raises TrustRootError."""
        ...

    async def verify(self, document: bytes, filename: str, sha256: str) -> Item[Provenance]:
        """Judge a PEP 740 provenance document for a file, given by its name and lower-case hexadecimal sha256.

        Nothing is fetched, and nothing is raised: what the document gets wrong makes it Invalid, and what cannot be
        judged here (no trust root, a kind of publisher or a version not known, a document beyond the limits) is
        Unknown. Whether the upstream offers a document at all is the caller's to know.
        """
        ...

    async def bundle(self, attestations: bytes) -> bytes:
        """Return the PEP 740 provenance document of attestations that came with an upload, as a JSON list.

        Each is ascribed to whom its certificate names, which proves nothing before `verify` does. Raises InvalidUpload
        for what is no such list, and for publishers that no provenance could name.
        """
        ...
