"""Attestations of an upload become the document that PyPI would have made of them."""

import json

import pytest
from tests.fakes.sigstore import (
    SLSA_PROVENANCE,
    WHEEL,
    WHEEL_SHA256,
    GitHubIdentity,
    GitLabIdentity,
    GoogleIdentity,
    Identity,
    LocalSigstore,
    statement,
)

from pinfold.adapters.sigstore.document import MAX_ATTESTATIONS, MAX_DOCUMENT
from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.errors import InvalidUpload
from pinfold.domain.evidence import Known
from pinfold.domain.provenance import Verified


@pytest.mark.parametrize(
    "identity", [GitHubIdentity(), GitLabIdentity(), GoogleIdentity()], ids=lambda one: type(one).__name__
)
async def test_the_document_names_whom_the_certificate_names_and_holds(
    sigstore: LocalSigstore, verifier: SigstoreVerifier, identity: Identity
) -> None:
    attestation = sigstore.attest(identity=identity)
    document = await verifier.bundle(json.dumps([attestation]).encode())
    (bundle,) = json.loads(document)["attestation_bundles"]
    assert bundle["attestations"] == [attestation]
    wanted = {name: value for name, value in identity.publisher().items() if name != "claims"}
    assert bundle["publisher"].items() >= wanted.items()
    assert isinstance(await verifier.verify(document, WHEEL, WHEEL_SHA256), Known)
    result = await verifier.verify(document, WHEEL, WHEEL_SHA256)
    assert isinstance(result, Known)
    assert isinstance(result.value, Verified)


async def test_attestations_of_one_publisher_share_a_bundle(
    sigstore: LocalSigstore, verifier: SigstoreVerifier
) -> None:
    built = sigstore.attest(payload=statement(WHEEL, WHEEL_SHA256, predicate=SLSA_PROVENANCE))
    published, other = sigstore.attest(), sigstore.attest(identity=GitLabIdentity())
    document = json.loads(await verifier.bundle(json.dumps([published, other, built]).encode()))
    assert [bundle["attestations"] for bundle in document["attestation_bundles"]] == [[published, built], [other]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[1]",
        b"[" * 10_000,
        b"\xff",
        b'[{"version": 2}]',
        (
            b'[{"version": 1, "verification_material": {"certificate": "!", "transparency_entries": [{}]}, '
            b'"envelope": {"statement": "", "signature": ""}}]'
        ),
        (
            b'[{"version": 1, "verification_material": {"certificate": "AAAA", "transparency_entries": [{}]}, '
            b'"envelope": {"statement": "", "signature": ""}}]'
        ),
        b"[" + b" " * MAX_DOCUMENT + b"]",
    ],
)
async def test_what_is_no_list_of_attestations_is_refused(verifier: SigstoreVerifier, content: bytes) -> None:
    with pytest.raises(InvalidUpload, match="Invalid attestations"):
        await verifier.bundle(content)


async def test_more_attestations_than_are_read_are_refused(sigstore: LocalSigstore, verifier: SigstoreVerifier) -> None:
    with pytest.raises(InvalidUpload, match=f"1 to {MAX_ATTESTATIONS}"):
        await verifier.bundle(json.dumps([sigstore.attest()] * (MAX_ATTESTATIONS + 1)).encode())


async def test_an_issuer_that_nobody_knows_is_refused(sigstore: LocalSigstore, verifier: SigstoreVerifier) -> None:
    stranger = GitHubIdentity(issuer="https://issuer.example")
    with pytest.raises(InvalidUpload, match="not known"):
        await verifier.bundle(json.dumps([sigstore.attest(identity=stranger)]).encode())
