"""Provenance changed at random: it never proves anything but what it proved before."""

import asyncio
import base64
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.sigstore import WHEEL, WHEEL_SHA256, LocalSigstore

from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import Attestation, Invalid, Unattested, Verified, WorkflowPublisher

MATERIAL = ("attestation_bundles", 0, "attestations", 0, "verification_material")
ENTRY = (*MATERIAL, "transparency_entries", 0)
ENVELOPE = ("attestation_bundles", 0, "attestations", 0, "envelope")
SIGNED = [
    (*MATERIAL, "certificate"),
    (*ENVELOPE, "statement"),
    (*ENVELOPE, "signature"),
    (*ENTRY, "canonicalizedBody"),
    (*ENTRY, "logId", "keyId"),
    (*ENTRY, "inclusionPromise", "signedEntryTimestamp"),
    (*ENTRY, "inclusionProof", "rootHash"),
    *((*ENTRY, "inclusionProof", "hashes", n) for n in range(3)),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def good(sigstore: LocalSigstore) -> dict[str, Any]:
    return sigstore.provenance([sigstore.attest(), sigstore.attest()])


@pytest.fixture(scope="module")
def proves(verifier: SigstoreVerifier, good: dict[str, Any]) -> Iterator[Any]:
    """Verify a document and tell whether it proves what the good one does; fail where it proves anything else."""
    loop = asyncio.new_event_loop()

    def judge(document: Any) -> Any:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return loop.run_until_complete(verifier.verify(content, WHEEL, WHEEL_SHA256))

    proof = {certified(attestation) for attestation in judge(good).value.attestations}

    def proves(document: Any) -> bool:
        match judge(document):
            case Known(Verified(attestations)):
                assert {certified(attestation) for attestation in attestations} <= proof
                return True
            case Known(Invalid() | Unattested()) | Unknown():
                return False
            case other:
                raise AssertionError(other)

    assert proves(good)
    yield proves
    loop.close()


def certified(attestation: Attestation) -> Attestation:
    """Leave out what is only the index's word."""
    publisher = attestation.publisher
    assert isinstance(publisher, WorkflowPublisher)
    environment = publisher.environment
    return replace(
        attestation,
        publisher=replace(publisher, environment=environment if environment and environment.certified else None),
    )


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


def parent(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_bit_of_what_is_signed_can_change(data: st.DataObject, good: dict[str, Any], proves: Any) -> None:
    document = copy.deepcopy(good)
    path = data.draw(st.sampled_from(SIGNED))
    content = bytearray(base64.b64decode(parent(document, path)[path[-1]]))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    parent(document, path)[path[-1]] = base64.b64encode(content).decode()
    assert not proves(document)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_other_json_proves_nothing_else(data: st.DataObject, good: dict[str, Any], proves: Any) -> None:
    document = {"document": copy.deepcopy(good)}
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(document))))
        holder, last = parent(document, path), path[-1]
        match data.draw(st.sampled_from(["replace", "delete", "repeat", "move"])):
            case "replace":
                holder[last] = data.draw(JSON)
            case "delete" if holder is not document:
                del holder[last]
            case "repeat":
                holder[last] = [holder[last], copy.deepcopy(holder[last])]
            case "move":
                other = data.draw(st.sampled_from(list(paths(document))))
                holder[last] = copy.deepcopy(parent(document, other)[other[-1]])
    proves(document["document"])


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_other_bytes_prove_nothing_else(data: st.DataObject, good: dict[str, Any], proves: Any) -> None:
    content = json.dumps(good).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    proves(content[:start] + data.draw(st.binary(max_size=40)) + content[end:])


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_proves_nothing(content: bytes, proves: Any) -> None:
    assert not proves(content)
