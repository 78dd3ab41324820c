"""Attestations that came with an upload, as the provenance document that PyPI would make of them."""

import base64

from cryptography.x509 import load_der_x509_certificate
from msgspec import Raw

from pinfold.adapters.sigstore.document import parse_attestation, parse_uploaded, write_document
from pinfold.adapters.sigstore.identity import named_publisher
from pinfold.domain.provenance import Publisher


def bundle(attestations: bytes) -> bytes:
    """Return the document that ascribes each attestation to whom its certificate names, who need not have made it.

    Raises what the certificates' and other parsers raise, Refused and Undecided among it.
    """
    bundles: dict[tuple[str, ...], tuple[Publisher, list[Raw]]] = {}
    for content in parse_uploaded(attestations):
        material = parse_attestation(content).verification_material
        publisher = named_publisher(load_der_x509_certificate(base64.b64decode(material.certificate, validate=True)))
        bundles.setdefault(publisher.key, (publisher, []))[1].append(content)
    return write_document(bundles.values())
