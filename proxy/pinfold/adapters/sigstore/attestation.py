"""One attestation against sigstore. Importing this takes half a second: never on the event loop."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.x509 import Certificate
from msgspec import Struct
from sigstore.errors import Error, MetadataError, RootError, TUFError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier

from pinfold.adapters.sigstore.document import SignedAttestation
from pinfold.adapters.sigstore.errors import Refused, Undecided
from pinfold.adapters.sigstore.identity import certified_publisher
from pinfold.adapters.sigstore.statement import PAYLOAD_TYPE, Subject, stated_of
from pinfold.adapters.sigstore.trust_root import TrustRootFile
from pinfold.domain.errors import TrustRootError
from pinfold.domain.provenance import Attestation, Publisher

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of the transparency log and of this machine may be apart."""

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class AttestationVerifier:
    """Verifies attestations with the keys and certificates of one trust root; nothing is fetched."""

    def __init__(self, root: TrustRootFile) -> None:
        """Load a trust root; raises TrustRootError where it is none, or another one than was identified."""
        try:
            trusted = TrustedRoot.from_file(str(root.path))
            self._sigstore = Verifier(trusted_root=trusted)
            unchanged = hashlib.sha256(root.path.read_bytes()).hexdigest() == root.sha256
        except (Error, ValueError, LookupError, OSError) as error:
            raise TrustRootError(f"the trust root {root.path} cannot be used: {error}") from error
        if not unchanged:
            raise TrustRootError(f"the trust root {root.path} changed while it was read")

    def verify(self, attestation: SignedAttestation, claim: Publisher, file: Subject, at: datetime) -> Attestation:
        """Return what an attestation proves of a file, as of a moment.

        Raises Undecided where the trust root has nothing to verify with, or for a predicate not known, and Refused
        for everything else: sigstore answers crafted input with errors of every library beneath it.
        """
        try:
            return self._verify(attestation, claim, file, at)
        except (Refused, Undecided):
            raise
        except (MetadataError, RootError, TUFError) as error:
            raise Undecided(f"the trust root does not serve: {error}") from error
        except Error as error:
            # Behind this come dumps of what sigstore compared.
            raise Refused(str(error).partition(": expected ")[0]) from error
        except Exception as error:
            raise Refused(f"malformed: {type(error).__name__}: {error}") from error

    def _verify(self, attestation: SignedAttestation, claim: Publisher, file: Subject, at: datetime) -> Attestation:
        bundle = Bundle.from_json(_bundle_json(attestation))
        logged_at = _logged_at(bundle)
        if logged_at > at + CLOCK_SKEW:
            raise Refused(f"logged in the future, at {logged_at.isoformat()}")
        policy = _ClaimedPublisher(claim)
        payload_type, payload = self._sigstore.verify_dsse(bundle, policy)
        if payload_type != PAYLOAD_TYPE or policy.publisher is None:
            raise Refused("nothing was verified")
        return Attestation(stated_of(payload, file), policy.publisher, logged_at)


class _ClaimedPublisher:
    """A sigstore policy: the certificate is the claimed publisher's, and is kept for what else it says of them."""

    def __init__(self, claim: Publisher) -> None:
        self.publisher: Publisher | None = None
        self._claim = claim

    def verify(self, cert: Certificate) -> None:
        """Raise Refused where the certificate is somebody else's."""
        self.publisher = certified_publisher(cert, self._claim)


class _Entry(Struct, rename="camel"):
    integrated_time: str


class _Material(Struct, rename="camel"):
    tlog_entries: list[_Entry]


class _LoggedBundle(Struct, rename="camel"):
    verification_material: _Material


_logged_bundle = msgspec.json.Decoder(_LoggedBundle)


def _bundle_json(attestation: SignedAttestation) -> bytes:
    material, envelope = attestation.verification_material, attestation.envelope
    return msgspec.json.encode(
        {
            "mediaType": _BUNDLE,
            "verificationMaterial": {
                "certificate": {"rawBytes": material.certificate},
                "tlogEntries": material.transparency_entries,
            },
            "dsseEnvelope": {
                "payload": envelope.statement,
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": envelope.signature}],
            },
        }
    )


def _logged_at(bundle: Bundle) -> datetime:
    """Return the transparency log's time, out of the bundle as sigstore understood it and goes on to verify it."""
    entry = _logged_bundle.decode(bundle.to_json()).verification_material.tlog_entries[0]
    return datetime.fromtimestamp(int(entry.integrated_time), UTC)
