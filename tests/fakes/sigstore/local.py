"""Minting attestations and provenance, whole or broken at one step."""

import base64
import hashlib
import json
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from pypi_attestations import AttestationType
from tests.fakes.clock import NOON
from tests.fakes.sigstore.authority import Authority, new_key, sign, trusted_log
from tests.fakes.sigstore.identities import GitHubIdentity, Identity
from tests.fakes.sigstore.rekor import Entry, Rekor

PUBLISH = AttestationType.PYPI_PUBLISH_V1.value
SLSA_PROVENANCE = AttestationType.SLSA_PROVENANCE_V1.value
STATEMENT = "https://in-toto.io/Statement/v1"
WHEEL = "widget-1.0-py3-none-any.whl"
WHEEL_SHA256 = hashlib.sha256(b"a wheel").hexdigest()
LOGGED_AT = NOON - timedelta(days=3)
PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Break(StrEnum):
    """The steps of an attestation that can be wrong while all others are right."""

    CHAIN = "the certificate is signed by an authority of the same name, but not by this one"
    TIMESTAMP = "the certificate's timestamp is signed by another key than the log's"
    NO_TIMESTAMP = "the certificate carries no timestamp"
    TWO_TIMESTAMPS = "the certificate carries two timestamps"
    KEY_USAGE = "the certificate's key is not for signatures"
    EXTENDED_KEY_USAGE = "the certificate's key is for servers, not for code"
    EXPIRED = "the log took the entry up after the certificate had expired"
    TOO_EARLY = "the log took the entry up before the certificate was valid"
    SIGNATURE = "the statement is signed with another key than the certificate's"
    PROMISE = "the log's promise is signed by another key than the log's"
    NO_PROMISE = "the log promises nothing, so that its time is anybody's"
    CHECKPOINT = "the checkpoint is signed by another key than the log's"
    CHECKPOINT_OF_ANOTHER_TREE = "the checkpoint is the log's, but of another tree"
    MERKLE_PATH = "the proof of inclusion leads elsewhere"
    MERKLE_ROOT = "the proof of inclusion names another root"
    ENTRY_CHANGED = "the entry is not the one that was logged"
    ENTRY_OF_ANOTHER_PAYLOAD = "the log took up the hash of another statement"
    ENTRY_OF_ANOTHER_SIGNATURE = "the log took up another signature"
    ENTRY_OF_ANOTHER_CERTIFICATE = "the log took up another certificate"
    ENTRY_KIND = "the entry is of a kind that does not bind the statement"


class LocalSigstore:
    """Sigstore's services with keys of their own; the trust root is a file in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority()
        self._rekor = Rekor()
        self._impostor = new_key()
        self.trusted_root_path = folder / "trusted_root.json"
        self.trusted_root_path.write_text(json.dumps(self.trusted_root(), default=_plain))

    def trusted_root(self) -> dict[str, Any]:
        """Return the trust root; to be written with keys and times as sigstore writes them."""
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [trusted_log("https://rekor.example", self._rekor.key)],
            "timestampAuthorities": [],
            **self._authority.trusted(),
        }

    def attest(
        self,
        filename: str = WHEEL,
        sha256: str = WHEEL_SHA256,
        identity: Identity | None = None,
        *,
        at: datetime = LOGGED_AT,
        payload: bytes | None = None,
        payload_type: str = PAYLOAD_TYPE,
        broken: Collection[Break] = (),
    ) -> dict[str, Any]:
        """Return a PEP 740 attestation of a file, signed and logged at a moment; `payload` replaces the statement."""
        payload = payload if payload is not None else statement(filename, sha256)
        key = new_key()
        certificate = self._certificate(key, identity or GitHubIdentity(), at, broken)
        signer = self._impostor if Break.SIGNATURE in broken else key
        signature = sign(signer, _pre_authentication_encoding(payload_type, payload))
        entry = self._entry(certificate, payload, signature, at, broken)
        return {
            "version": 1,
            "verification_material": {
                "certificate": _b64(certificate.public_bytes(serialization.Encoding.DER)),
                "transparency_entries": [entry.to_json()],
            },
            "envelope": {"statement": _b64(payload), "signature": _b64(signature)},
        }

    @staticmethod
    def provenance(attestations: list[dict[str, Any]], publisher: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a PEP 740 provenance document of one bundle."""
        publisher = GitHubIdentity().publisher() if publisher is None else publisher
        return {"version": 1, "attestation_bundles": [{"publisher": publisher, "attestations": attestations}]}

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: Identity, at: datetime, broken: Collection[Break]
    ) -> x509.Certificate:
        since = at - timedelta(seconds=2)
        if Break.EXPIRED in broken:
            since = at - timedelta(minutes=11)
        if Break.TOO_EARLY in broken:
            since = at + timedelta(minutes=1)
        return self._authority.issue(
            key,
            identity,
            since,
            issuer_key=self._impostor if Break.CHAIN in broken else None,
            log_key=self._impostor if Break.TIMESTAMP in broken else None,
            timestamps={Break.NO_TIMESTAMP in broken: 0, Break.TWO_TIMESTAMPS in broken: 2}.get(True, 1),
            usage=ExtendedKeyUsageOID.SERVER_AUTH
            if Break.EXTENDED_KEY_USAGE in broken
            else ExtendedKeyUsageOID.CODE_SIGNING,
            digital_signature=Break.KEY_USAGE not in broken,
        )

    def _entry(
        self, certificate: x509.Certificate, payload: bytes, signature: bytes, at: datetime, broken: Collection[Break]
    ) -> Entry:
        body = _body(
            payload if Break.ENTRY_OF_ANOTHER_PAYLOAD not in broken else b"another",
            signature if Break.ENTRY_OF_ANOTHER_SIGNATURE not in broken else sign(self._impostor, payload),
            certificate if Break.ENTRY_OF_ANOTHER_CERTIFICATE not in broken else self._authority.root,
        )
        entry = self._rekor.add(body, int(at.timestamp()))
        if Break.PROMISE in broken:
            entry.promise = entry.promised(self._impostor)
        if Break.NO_PROMISE in broken:
            entry.promise = None
        if Break.CHECKPOINT in broken:
            entry.checkpoint = entry.checkpointed(self._impostor, entry.root_hash)
        if Break.CHECKPOINT_OF_ANOTHER_TREE in broken:
            entry.checkpoint = entry.checkpointed(self._rekor.key, bytes(32))
        if Break.MERKLE_PATH in broken:
            entry.path[0] = bytes(32)
        if Break.MERKLE_ROOT in broken:
            entry.root_hash = bytes(32)
        if Break.ENTRY_CHANGED in broken:
            entry.body = _body(b"another", signature, certificate)
            entry.promise = entry.promised(self._rekor.key)
        if Break.ENTRY_KIND in broken:
            entry.kind_version = {"kind": "hashedrekord", "version": "0.0.1"}
        return entry


def statement(filename: str = WHEEL, sha256: str = WHEEL_SHA256, **changes: Any) -> bytes:
    """Return an in-toto statement that a file was published, with members replaced by their keyword."""
    members = {
        "_type": STATEMENT,
        "subject": [{"name": filename, "digest": {"sha256": sha256}}],
        "predicateType": PUBLISH,
        "predicate": None,
    }
    return json.dumps(members | changes).encode()


def _pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what a DSSE envelope's signature covers."""
    return b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)


def _body(payload: bytes, signature: bytes, certificate: x509.Certificate) -> bytes:
    """Return the canonical body of an entry: canonical JSON, with the certificate as PEM in base64."""
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    spec = {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(payload + signature).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": _b64(signature), "verifier": _b64(pem)}],
    }
    entry = {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}
    return json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return _b64(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(value)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
