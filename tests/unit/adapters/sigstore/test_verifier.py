"""What a document proves on the whole, and how the adapter behaves while it finds out."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.sigstore import (
    LOGGED_AT,
    SLSA_PROVENANCE,
    WHEEL,
    WHEEL_SHA256,
    Break,
    GitHubIdentity,
    GitLabIdentity,
    GoogleIdentity,
    Identity,
    LocalSigstore,
    statement,
)

from pinfold.adapters.sigstore.document import MAX_ATTESTATIONS, MAX_DOCUMENT, MAX_ENTRY
from pinfold.adapters.sigstore.verifier import MAX_WHY, SigstoreVerifier
from pinfold.domain.errors import TrustRootError
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Invalid,
    Predicate,
    PublisherKind,
    Unattested,
    Verified,
    WorkflowPublisher,
)

WIDGET = WorkflowPublisher(PublisherKind.GITHUB, "example/widget", "publish.yml", repository_id="1001", owner_id="2002")
PUBLISHED = Attestation(Predicate.PUBLISH, WIDGET, LOGGED_AT)
CIRCLE = {"kind": "CircleCI", "project_id": "1", "pipeline_definition_id": "2"}


def document(*bundles: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "attestation_bundles": [bundle for each in bundles for bundle in each["attestation_bundles"]]}


@pytest.mark.parametrize(
    ("identity", "publisher"),
    [
        (GitHubIdentity(), WIDGET),
        (
            GitLabIdentity(),
            WorkflowPublisher(
                PublisherKind.GITLAB, "example/group/widget", ".gitlab-ci.yml", repository_id="3003", owner_id="4004"
            ),
        ),
        (GoogleIdentity(), AccountPublisher("publisher@example.iam.gserviceaccount.com")),
    ],
    ids=["github", "gitlab", "google"],
)
async def test_an_attestation_proves_its_publisher(
    identity: Identity, publisher: Any, sigstore: LocalSigstore, judge: Any
) -> None:
    attestation = sigstore.attest(identity=identity)
    result = await judge(sigstore.provenance([attestation], identity.publisher()))
    assert result == Known(Verified((Attestation(Predicate.PUBLISH, publisher, LOGGED_AT),)))
    assert result.value.publishers == (publisher,)


async def test_slsa_provenance_is_taken_in_addition(sigstore: LocalSigstore, judge: Any) -> None:
    slsa = sigstore.attest(payload=statement(predicateType=SLSA_PROVENANCE, predicate={"buildDefinition": {}}))
    result = await judge(sigstore.provenance([slsa, sigstore.attest()]))
    assert result == Known(Verified((Attestation(Predicate.SLSA_PROVENANCE, WIDGET, LOGGED_AT), PUBLISHED)))
    assert result.value.publishers == (WIDGET,)


async def test_slsa_provenance_alone_attests_no_publication(sigstore: LocalSigstore, judge: Any) -> None:
    slsa = sigstore.attest(payload=statement(predicateType=SLSA_PROVENANCE))
    assert await judge(sigstore.provenance([slsa])) == Known(Unattested())


async def test_several_publishers_are_all_reported(sigstore: LocalSigstore, judge: Any) -> None:
    google = GoogleIdentity()
    result = await judge(
        document(
            sigstore.provenance([sigstore.attest(), sigstore.attest()]),
            sigstore.provenance([sigstore.attest(identity=google)], google.publisher()),
        )
    )
    assert result.value.publishers == (WIDGET, AccountPublisher(google.email))


@pytest.mark.parametrize("bundles", [[], [{"publisher": CIRCLE, "attestations": []}]], ids=["bundles", "attestations"])
async def test_a_document_without_attestations_proves_nothing(bundles: list[Any], judge: Any) -> None:
    assert await judge({"version": 1, "attestation_bundles": bundles}) == Known(Unattested())


async def test_one_bad_attestation_spoils_the_good_ones(sigstore: LocalSigstore, judge: Any) -> None:
    for order in (1, -1):
        attestations = [sigstore.attest(), sigstore.attest(broken={Break.SIGNATURE})][::order]
        assert await judge(sigstore.provenance(attestations)) == Known(Invalid("DSSE: invalid signature"))


async def test_a_kind_of_publisher_not_known_is_unknown_without_spoiling_the_others(
    sigstore: LocalSigstore, judge: Any
) -> None:
    foreign = sigstore.provenance([sigstore.attest()], CIRCLE)
    assert await judge(foreign) == Unknown("publishers of the kind 'CircleCI' are not known")
    assert await judge(document(foreign, sigstore.provenance([sigstore.attest()]))) == Known(Verified((PUBLISHED,)))


async def test_a_later_specification_is_unknown(sigstore: LocalSigstore, judge: Any) -> None:
    later = sigstore.attest() | {"version": 2}
    assert await judge(sigstore.provenance([later])) == Unknown("version 2 of attestations is not known")
    assert await judge({"version": 2, "bundles": []}) == Unknown("version 2 of provenance is not known")


async def test_a_predicate_not_known_is_unknown(sigstore: LocalSigstore, judge: Any) -> None:
    other = sigstore.attest(payload=statement(predicateType="https://index.example/attestations/rebuild/v1"))
    result = await judge(sigstore.provenance([other]))
    assert result == Unknown("predicate type 'https://index.example/attestations/rebuild/v1' is not known")
    assert await judge(sigstore.provenance([other, sigstore.attest()])) == Known(Verified((PUBLISHED,)))


async def test_more_than_is_read_is_unknown(sigstore: LocalSigstore, judge: Any) -> None:
    good = sigstore.provenance([sigstore.attest()])
    padded = json.dumps(good).encode() + b" " * MAX_DOCUMENT
    assert "bytes, more than" in (await judge(padded)).why
    many = sigstore.provenance([sigstore.attest()] * (MAX_ATTESTATIONS + 1))
    assert "more than the 8 attestations" in (await judge(many)).why
    hollow = document(*[{"attestation_bundles": [{"publisher": CIRCLE, "attestations": []}]}] * (MAX_ATTESTATIONS + 1))
    assert "more than the 8 attestations" in (await judge(hollow)).why
    wide = sigstore.attest()
    wide["verification_material"]["transparency_entries"][0]["extra"] = [{}] * MAX_ENTRY
    assert "log entry has" in (await judge(sigstore.provenance([wide]))).why
    at_the_limit = sigstore.provenance([sigstore.attest()] * MAX_ATTESTATIONS)
    assert await judge(at_the_limit) == Known(Verified((PUBLISHED,) * MAX_ATTESTATIONS))


async def test_reasons_are_one_short_line_whatever_they_quote(sigstore: LocalSigstore, judge: Any) -> None:
    hostile = "<script>\r\nX-Injected: 1\x00\x1b[31m\u202e\N{SNOWMAN}" + "a" * 5000
    for publisher in (CIRCLE | {"kind": hostile[:500]}, GitHubIdentity().publisher() | {"repository": hostile[:500]}):
        result = await judge(sigstore.provenance([sigstore.attest()], publisher))
        why = result.why if isinstance(result, Unknown) else result.value.why
        assert len(why) <= MAX_WHY
        assert why.isascii()
        assert why.isprintable()


async def test_a_trust_root_that_cannot_be_used_leaves_everything_unknown(
    sigstore: LocalSigstore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.dumps(sigstore.provenance([sigstore.attest()])).encode()
    roots = {
        "missing.json": None,
        "not-json.json": "[",
        "nothing.json": "{}",
        "empty.json": json.dumps(json.loads(sigstore.trusted_root_path.read_text()) | {"certificateAuthorities": []}),
    }
    for name, text in roots.items():
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        verifier = SigstoreVerifier(path, FakeClock())
        result = await verifier.verify(content, WHEEL, WHEEL_SHA256)
        assert result == Unknown("the trust root cannot be used, so that nothing can be verified"), name
        assert str(path) in caplog.text, "whoever operates it is told which file it is"
        with pytest.raises(TrustRootError):
            await verifier.load()
        verifier.close()


async def test_a_trust_root_whose_keys_begin_in_the_future_serves_nobody(
    sigstore: LocalSigstore, tmp_path: Path
) -> None:
    root = json.loads(sigstore.trusted_root_path.read_text())
    for log in root["tlogs"]:
        log["publicKey"]["validFor"]["start"] = "2999-01-01T00:00:00Z"
    path = tmp_path / "root.json"
    path.write_text(json.dumps(root))
    verifier = SigstoreVerifier(path, FakeClock())
    content = json.dumps(sigstore.provenance([sigstore.attest()])).encode()
    result = await verifier.verify(content, WHEEL, WHEEL_SHA256)
    verifier.close()
    assert result == Unknown("the trust root does not serve: Did not find any Rekor keys in trusted root")


async def test_another_sigstore_proves_nothing(tmp_path: Path, judge: Any) -> None:
    other = LocalSigstore(tmp_path)
    assert "chain" in (await judge(other.provenance([other.attest()]))).value.why


async def test_nothing_is_fetched(sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("verification reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    verifier = SigstoreVerifier(sigstore.trusted_root_path, FakeClock())
    result = await verifier.verify(json.dumps(sigstore.provenance([sigstore.attest()])).encode(), WHEEL, WHEEL_SHA256)
    verifier.close()
    assert result == Known(Verified((PUBLISHED,)))


class PanickingClock:
    """Fails as Rust code does: with what is no Exception."""

    class PanicException(BaseException):
        pass

    def now(self) -> datetime:
        raise self.PanicException("index out of bounds in /home/somebody/crate/lib.rs")


async def test_a_panic_is_unknown_without_a_path_of_any_machine(
    sigstore: LocalSigstore, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = SigstoreVerifier(sigstore.trusted_root_path, PanickingClock())
    result = await verifier.verify(json.dumps(sigstore.provenance([sigstore.attest()])).encode(), WHEEL, WHEEL_SHA256)
    verifier.close()
    assert result == Unknown("verification broke off: PanicException")
    assert "lib.rs" in caplog.text


class ThreadNotingClock(FakeClock):
    threads: set[int]

    def now(self) -> datetime:
        self.threads.add(threading.get_ident())
        return super().now()


async def test_verification_leaves_the_event_loop_free(sigstore: LocalSigstore) -> None:
    clock = ThreadNotingClock()
    clock.threads = set()
    verifier = SigstoreVerifier(sigstore.trusted_root_path, clock)
    content = json.dumps(sigstore.provenance([sigstore.attest()])).encode()
    await verifier.load()
    turns = 0
    pending = asyncio.gather(*(verifier.verify(content, WHEEL, WHEEL_SHA256) for _ in range(30)))
    while not pending.done():
        turns += 1
        await asyncio.sleep(0)
    verifier.close()
    assert set(pending.result()) == {Known(Verified((PUBLISHED,)))}
    assert turns > 30
    assert clock.threads
    assert threading.get_ident() not in clock.threads


def test_sigstore_is_not_imported_before_it_is_needed() -> None:
    program = """
import pinfold.adapters.sigstore.verifier as adapter, sys
adapter.SigstoreVerifier(None, clock=None)
sys.exit(any(name.partition(".")[0] in ("sigstore", "cryptography", "tuf") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
