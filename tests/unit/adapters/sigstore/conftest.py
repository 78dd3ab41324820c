import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.sigstore import WHEEL, WHEEL_SHA256, LocalSigstore

from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.evidence import Item
from pinfold.domain.provenance import Provenance


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> LocalSigstore:
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture(scope="session")
def verifier(sigstore: LocalSigstore) -> Iterator[SigstoreVerifier]:
    verifier = SigstoreVerifier(sigstore.trusted_root_path, FakeClock())
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def judge(verifier: SigstoreVerifier) -> Callable[..., Awaitable[Item[Provenance]]]:
    """Verify a document, given as bytes or as what JSON expresses."""

    async def judge(document: Any, filename: str = WHEEL, sha256: str = WHEEL_SHA256) -> Item[Provenance]:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return await verifier.verify(content, filename, sha256)

    return judge
