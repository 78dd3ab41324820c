"""Attestations that come with an upload are verified before it is accepted, and served as its provenance."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from tests.e2e.http.publishing.acme_tool import WHEEL, page, wheel
from tests.fakes.sigstore import Break, GitHubIdentity


@pytest.fixture
def overrides(overrides, sigstore):
    return overrides | {"sigstore.trusted_root": str(sigstore.trusted_root_path)}


async def test_attestations_are_verified_and_served_as_provenance(pinfold, publisher, sigstore):
    content = wheel()
    attestation = sigstore.attest(WHEEL, hashlib.sha256(content).hexdigest(), at=datetime.now(UTC))
    answer = await publisher.upload(WHEEL, content, attestations=json.dumps([attestation]))
    assert answer.status == 200, answer
    (file,) = (await page(pinfold))["files"]
    path = "/" + file["provenance"].partition("://")[2].partition("/")[2]
    provenance = await pinfold.get(path)
    document = json.loads(provenance.body)
    (bundle,) = document["attestation_bundles"]
    assert bundle["attestations"] == [attestation]
    identity = GitHubIdentity()
    assert bundle["publisher"]["kind"] == "GitHub"
    assert bundle["publisher"]["repository"] == identity.publisher()["repository"]
    assert document["version"] == 1
    (entry,) = await pinfold.audited("file.published")
    assert entry.details["attested"] is True


@pytest.mark.parametrize(
    "attestations",
    [
        lambda sigstore, sha256: [sigstore.attest(WHEEL, "0" * 64, at=datetime.now(UTC))],
        lambda sigstore, sha256: [sigstore.attest("other-1.0-py3-none-any.whl", sha256, at=datetime.now(UTC))],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC), broken=[Break.SIGNATURE])],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC), broken=[Break.CHAIN])],
        lambda sigstore, sha256: [],
        lambda sigstore, sha256: {},
        lambda sigstore, sha256: [{}],
        lambda sigstore, sha256: [sigstore.attest(WHEEL, sha256, at=datetime.now(UTC))] * 9,
        lambda sigstore, sha256: [[[[]]]],
        lambda sigstore, sha256: "\x00",
    ],
)
async def test_attestations_that_do_not_hold_refuse_the_upload(pinfold, publisher, sigstore, attestations):
    sha256 = hashlib.sha256(wheel()).hexdigest()
    answer = await publisher.upload(WHEEL, wheel(), attestations=json.dumps(attestations(sigstore, sha256)))
    assert answer.status == 400, answer
    assert "attestations" in answer.reason
    assert await page(pinfold) is None
