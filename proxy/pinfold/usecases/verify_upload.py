"""Attestations that come with an upload (PEP 740): they hold, all of them, or the upload is refused."""

import hashlib
from dataclasses import dataclass

from pinfold.domain.errors import InvalidUpload
from pinfold.domain.evidence import Unknown
from pinfold.domain.project import File
from pinfold.domain.provenance import Invalid, Unattested, Verified
from pinfold.ports.clock import Clock
from pinfold.ports.provenance_store import Checked
from pinfold.ports.verifier import ProvenanceVerifier


@dataclass(frozen=True, slots=True)
class Attested:
    """Provenance that came with an upload, and what it proves."""

    document: bytes
    """As PyPI would make it of the attestations."""
    checked: Checked


async def verify_upload(verifier: ProvenanceVerifier, attestations: bytes, file: File, clock: Clock) -> Attested:
    """Verify a JSON list of attestations for a file; raises InvalidUpload."""
    document = await verifier.bundle(attestations)
    result = await verifier.verify(document, file.filename, file.sha256)
    if isinstance(result, Unknown):
        raise InvalidUpload(f"Invalid attestations: {result.why}")
    match result.value:
        case Unattested():
            raise InvalidUpload("Invalid attestations: none of them is a publish attestation")
        case Invalid(why):
            raise InvalidUpload(f"Invalid attestations: {why}")
        case Verified():
            root, digest = await verifier.trust_root(), hashlib.sha256(document).hexdigest()
            return Attested(document, Checked(file.filename, file.sha256, digest, root.sha256, clock.now(), result))
