"""Attestations of the public sigstore, as PyPI has them, against the packaged trust root and another verifier.

They come with the source distribution of pypi-attestations, which is fetched once, pinned by its hash, and neither
unpacked nor built.
"""

import asyncio
import base64
import copy
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pypi_attestations import Attestation as OracleAttestation
from pypi_attestations import Distribution, Publisher
from pypi_simple import PYPI_SIMPLE_ENDPOINT, PyPISimple
from tests.fakes.clock import FakeClock

from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Invalid,
    Predicate,
    Provenance,
    PublisherKind,
    Verified,
    WorkflowPublisher,
)

SDIST = "pypi_attestations-0.0.30.tar.gz"
SDIST_SHA256 = "14ff13c76bbef02a483c2b77532da02bfd746b5141b881f355e06b9807434423"
CACHE = Path(__file__).parents[2] / ".venvs" / "attestations" / SDIST

PYPI_ATTESTATIONS = "pypi_attestations-0.0.19.tar.gz"
MODELS = "pypi_attestation_models-0.0.4a2.tar.gz"
GITLAB = "gitlab_oidc_project-0.0.3.tar.gz"
GOOGLE = "gcb_attestation_test-0.0.0.tar.gz"
CIRCLECI = "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl"
STAGING = "rfc8785-0.1.2-py3-none-any.whl"

CLAIMS: dict[str, dict[str, Any]] = {
    PYPI_ATTESTATIONS: {"kind": "GitHub", "repository": "trailofbits/pypi-attestations", "workflow": "release.yml"},
    MODELS: {"kind": "GitHub", "repository": "trailofbits/pypi-attestation-models", "workflow": "release.yml"},
    GITLAB: {"kind": "GitLab", "repository": "facutuesca/gitlab-oidc-project", "workflow_filepath": ".gitlab-ci.yml"},
    GOOGLE: {"kind": "Google", "email": "919436158236-compute@developer.gserviceaccount.com"},
}
PROVEN = {
    PYPI_ATTESTATIONS: Attestation(
        Predicate.PUBLISH,
        WorkflowPublisher(
            PublisherKind.GITHUB,
            "trailofbits/pypi-attestations",
            "release.yml",
            repository_id="772247423",
            owner_id="2314423",
        ),
        datetime(2024, 12, 4, 23, 14, 1, tzinfo=UTC),
    ),
    # The same repository under an earlier name: the ids tell.
    MODELS: Attestation(
        Predicate.PUBLISH,
        WorkflowPublisher(
            PublisherKind.GITHUB,
            "trailofbits/pypi-attestation-models",
            "release.yml",
            repository_id="772247423",
            owner_id="2314423",
        ),
        datetime(2024, 6, 10, 19, 47, 25, tzinfo=UTC),
    ),
    GITLAB: Attestation(
        Predicate.PUBLISH,
        WorkflowPublisher(
            PublisherKind.GITLAB,
            "facutuesca/gitlab-oidc-project",
            ".gitlab-ci.yml",
            repository_id="55235664",
            owner_id="12885801",
        ),
        datetime(2024, 11, 19, 17, 37, 0, tzinfo=UTC),
    ),
    GOOGLE: Attestation(
        Predicate.PUBLISH,
        AccountPublisher("919436158236-compute@developer.gserviceaccount.com"),
        datetime(2025, 4, 21, 15, 2, 27, tzinfo=UTC),
    ),
}

Judge = Callable[..., Item[Provenance]]


@pytest.fixture(scope="module")
def assets() -> dict[str, bytes]:
    """The files of the source distribution's test assets, by name."""
    content = CACHE.read_bytes() if CACHE.exists() else b""
    if hashlib.sha256(content).hexdigest() != SDIST_SHA256:
        content = fetch()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [member for member in archive if member.isfile() and "/test/assets/" in member.name]
        return {Path(member.name).name: opened.read() for member in members if (opened := archive.extractfile(member))}


def fetch() -> bytes:
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with (
        PyPISimple(os.environ.get("PIP_INDEX_URL", PYPI_SIMPLE_ENDPOINT)) as index,
        tempfile.TemporaryDirectory(dir=CACHE.parent) as folder,
    ):
        page = index.get_project_page("pypi-attestations", timeout=60)
        (package,) = (each for each in page.packages if each.filename == SDIST)
        fetched = Path(folder) / SDIST
        index.download_package(package, fetched, timeout=60)
        content = fetched.read_bytes()
        assert hashlib.sha256(content).hexdigest() == SDIST_SHA256
        fetched.replace(CACHE)
    return content


@pytest.fixture(scope="module")
def attestations(assets: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """One publish attestation a file."""
    google = json.loads(assets[f"{GOOGLE}.provenance"])
    return {
        PYPI_ATTESTATIONS: json.loads(assets[f"{PYPI_ATTESTATIONS}.publish.attestation"]),
        MODELS: json.loads(assets[f"{MODELS}.attestation"]),
        GITLAB: json.loads(assets[f"{GITLAB}.publish.attestation"]),
        GOOGLE: google["attestation_bundles"][0]["attestations"][0],
    }


@pytest.fixture(scope="module")
def judge(assets: dict[str, bytes]) -> Iterator[Judge]:
    verifier = SigstoreVerifier(None, FakeClock())
    loop = asyncio.new_event_loop()

    def judge(document: bytes | dict[str, Any], filename: str, sha256: str | None = None) -> Item[Provenance]:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        sha256 = sha256 or hashlib.sha256(assets[filename]).hexdigest()
        return loop.run_until_complete(verifier.verify(content, filename, sha256))

    yield judge
    loop.close()
    verifier.close()


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., bool]]:
    """Tell whether pypi-attestations takes an attestation for a publisher's and a file's."""

    def oracle(attestation: dict[str, Any], claim: dict[str, Any], filename: str, sha256: str) -> bool:
        try:
            publisher = TypeAdapter(Publisher).validate_python(claim)
            parsed = OracleAttestation.model_validate(attestation)
            parsed.verify(publisher, Distribution(name=filename, digest=sha256), offline=True)
        except Exception:  # noqa: BLE001 - it lets errors of all the libraries beneath it through
            return False
        return True

    with pytest.MonkeyPatch.context() as patch:
        for variable in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            patch.setenv(variable, str(tmp_path_factory.mktemp("oracle")))
        yield oracle


def document(*attestations: dict[str, Any], claim: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "attestation_bundles": [{"publisher": claim, "attestations": list(attestations)}]}


@pytest.mark.parametrize("filename", [PYPI_ATTESTATIONS, GOOGLE])
def test_what_pypi_serves_verifies(filename: str, assets: dict[str, bytes], judge: Judge) -> None:
    assert judge(assets[f"{filename}.provenance"], filename) == Known(Verified((PROVEN[filename],)))


@pytest.mark.parametrize("filename", PROVEN)
def test_attestations_of_every_kind_verify(
    filename: str, attestations: dict[str, Any], judge: Judge, oracle: Callable[..., bool], assets: dict[str, bytes]
) -> None:
    attestation, claim = attestations[filename], CLAIMS[filename]
    assert judge(document(attestation, claim=claim), filename) == Known(Verified((PROVEN[filename],)))
    assert oracle(attestation, claim, filename, hashlib.sha256(assets[filename]).hexdigest())


def test_slsa_provenance_verifies_beside_the_publication(assets: dict[str, bytes], judge: Judge) -> None:
    both = [json.loads(assets[f"{PYPI_ATTESTATIONS}.{kind}.attestation"]) for kind in ("slsa", "publish")]
    result = judge(document(*both, claim=CLAIMS[PYPI_ATTESTATIONS]), PYPI_ATTESTATIONS)
    assert isinstance(result, Known)
    assert isinstance(result.value, Verified)
    assert [each.predicate for each in result.value.attestations] == [Predicate.SLSA_PROVENANCE, Predicate.PUBLISH]
    assert result.value.publishers == (PROVEN[PYPI_ATTESTATIONS].publisher,)


def test_a_publisher_of_another_kind_is_unknown(assets: dict[str, bytes], judge: Judge) -> None:
    result = judge(assets[f"{CIRCLECI}.provenance"], CIRCLECI)
    assert result == Unknown("publishers of the kind 'CircleCI' are not known")


def test_sigstores_staging_instance_vouches_for_nothing(assets: dict[str, bytes], judge: Judge) -> None:
    staging = json.loads(assets[f"{STAGING}.publish.attestation"])
    result = judge(document(staging, claim={"kind": "Google", "email": "william@yossarian.net"}), STAGING)
    assert isinstance(result, Known)
    assert isinstance(result.value, Invalid)
    assert "chain" in result.value.why


@pytest.mark.parametrize("filename", PROVEN)
@pytest.mark.parametrize("claimed", PROVEN)
@pytest.mark.parametrize("about", PROVEN)
def test_both_verifiers_agree_on_who_published_what(
    filename: str,
    claimed: str,
    about: str,
    attestations: dict[str, Any],
    judge: Judge,
    oracle: Callable[..., bool],
    assets: dict[str, bytes],
) -> None:
    result = judge(document(attestations[filename], claim=CLAIMS[claimed]), about)
    assert isinstance(result, Known)
    holds = isinstance(result.value, Verified)
    assert holds == (filename == claimed == about)
    assert holds == oracle(attestations[filename], CLAIMS[claimed], about, hashlib.sha256(assets[about]).hexdigest())


ENTRY = ("verification_material", "transparency_entries", 0)
ENCODED = [
    ("verification_material", "certificate"),
    ("envelope", "statement"),
    ("envelope", "signature"),
    (*ENTRY, "canonicalizedBody"),
    (*ENTRY, "inclusionPromise", "signedEntryTimestamp"),
    (*ENTRY, "inclusionProof", "rootHash"),
    (*ENTRY, "inclusionProof", "hashes", 0),
]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_verifiers_agree_on_damage(
    data: st.DataObject,
    attestations: dict[str, Any],
    judge: Judge,
    oracle: Callable[..., bool],
    assets: dict[str, bytes],
) -> None:
    filename = data.draw(st.sampled_from(list(PROVEN)))
    attestation = copy.deepcopy(attestations[filename])
    *path, last = data.draw(st.sampled_from(ENCODED))
    holder: Any = attestation
    for step in path:
        holder = holder[step]
    content = bytearray(base64.b64decode(holder[last]))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(0, 255))
    holder[last] = base64.b64encode(content).decode()
    result = judge(document(attestation, claim=CLAIMS[filename]), filename)
    assert isinstance(result, Known)
    holds = isinstance(result.value, Verified)
    assert holds == (attestation == attestations[filename])
    assert holds == oracle(attestation, CLAIMS[filename], filename, hashlib.sha256(assets[filename]).hexdigest())
