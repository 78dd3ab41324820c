"""What every verifier of provenance keeps to, whatever it verifies with."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.sigstore import LOGGED_AT, WHEEL, WHEEL_SHA256, GitHubIdentity, LocalSigstore

from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import Invalid, Predicate, Provenance, Unattested, Verified
from pinfold.ports.verifier import ProvenanceVerifier


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> LocalSigstore:
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))


@pytest.fixture(scope="module", params=["sigstore"])
def verifier(sigstore: LocalSigstore) -> Iterator[ProvenanceVerifier]:
    verifier = SigstoreVerifier(sigstore.trusted_root_path, FakeClock())
    yield verifier
    verifier.close()


@pytest.fixture(scope="module")
def document(sigstore: LocalSigstore) -> bytes:
    return json.dumps(sigstore.provenance([sigstore.attest()])).encode()


async def known(
    verifier: ProvenanceVerifier, document: bytes, filename: str = WHEEL, sha256: str = WHEEL_SHA256
) -> Provenance:
    result = await verifier.verify(document, filename, sha256)
    assert isinstance(result, Known)
    return result.value


async def test_what_holds_is_verified(verifier: ProvenanceVerifier, document: bytes) -> None:
    verified = await known(verifier, document)
    assert isinstance(verified, Verified)
    (attestation,) = verified.attestations
    assert attestation.predicate is Predicate.PUBLISH
    assert attestation.logged_at == LOGGED_AT
    assert str(attestation.publisher) == "GitHub example/widget (publish.yml)"


@pytest.mark.parametrize(
    ("filename", "sha256"),
    [(WHEEL, "0" * 64), (WHEEL, ""), ("gadget-1.0-py3-none-any.whl", WHEEL_SHA256), ("", WHEEL_SHA256)],
)
async def test_it_holds_for_one_file_only(
    filename: str, sha256: str, verifier: ProvenanceVerifier, document: bytes
) -> None:
    assert isinstance(await known(verifier, document, filename, sha256), Invalid)


async def test_the_index_cannot_give_it_to_another_publisher(
    verifier: ProvenanceVerifier, sigstore: LocalSigstore
) -> None:
    attestation = sigstore.attest(identity=GitHubIdentity(repository="mallory/widget"))
    stolen = sigstore.provenance([attestation], GitHubIdentity().publisher())
    assert isinstance(await known(verifier, json.dumps(stolen).encode()), Invalid)


async def test_no_attestations_are_no_proof(verifier: ProvenanceVerifier) -> None:
    assert await known(verifier, b'{"version": 1, "attestation_bundles": []}') == Unattested()


async def test_a_kind_of_publisher_not_known_is_unknown(verifier: ProvenanceVerifier, sigstore: LocalSigstore) -> None:
    other = sigstore.provenance([sigstore.attest()], {"kind": "Forge", "id": 1})
    result = await verifier.verify(json.dumps(other).encode(), WHEEL, WHEEL_SHA256)
    assert isinstance(result, Unknown)
    assert "Forge" in result.why


@pytest.mark.parametrize("content", [b"", b"null", b"[" * 100_000, b"\xff\xfe", b"<html></html>"])
async def test_garbage_is_invalid(content: bytes, verifier: ProvenanceVerifier) -> None:
    assert isinstance(await known(verifier, content), Invalid)


async def test_answers_do_not_mix_when_many_ask_at_once(verifier: ProvenanceVerifier, document: bytes) -> None:
    hashes = [WHEEL_SHA256, "0" * 64] * 20
    results = await asyncio.gather(*(known(verifier, document, sha256=sha256) for sha256 in hashes))
    assert [isinstance(result, Verified) for result in results] == [True, False] * 20
