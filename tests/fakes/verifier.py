"""A verifier whose findings tests choose."""

from tests.fakes.clock import NOON

from pinfold.domain.errors import TrustRootError
from pinfold.domain.evidence import Item, Known
from pinfold.domain.provenance import Provenance, TrustRoot, Unattested


class FakeVerifier:
    """Finds `result` in every document, with the trust root `root`, or raises `failure` where it is asked for that."""

    def __init__(self) -> None:
        self.root = TrustRoot("f" * 64, NOON)
        self.failure: TrustRootError | None = None
        self.result: Item[Provenance] = Known(Unattested())
        self.asked: list[tuple[bytes, str, str]] = []

    async def trust_root(self) -> TrustRoot:
        if self.failure is not None:
            raise self.failure
        return self.root

    async def verify(self, document: bytes, filename: str, sha256: str) -> Item[Provenance]:
        self.asked.append((document, filename, sha256))
        return self.result

    async def bundle(self, attestations: bytes) -> bytes:
        return attestations
