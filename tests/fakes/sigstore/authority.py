"""The certificate authority (Fulcio) and the certificate transparency log that it submits to."""

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.fakes.sigstore.identities import Identity, encoded

SINCE = datetime(2021, 1, 1, tzinfo=UTC)
"""A key whose validity begins in the future is dropped without a word, so all of them began long ago."""
_VALID_FOR = timedelta(minutes=10)
_KEY_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def public_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class CertificateLog:
    """Promises to log certificates: signed certificate timestamps (RFC 6962, section 3.2)."""

    def __init__(self) -> None:
        self.key = new_key()
        self.log_id = hashlib.sha256(public_der(self.key)).digest()

    def timestamp(
        self, bare: x509.Certificate, issuer: ec.EllipticCurvePrivateKey, *, key: ec.EllipticCurvePrivateKey
    ) -> bytes:
        """Return a timestamp over a certificate that has none yet, bound to who issues it."""
        tbs = bare.tbs_certificate_bytes
        milliseconds = int(bare.not_valid_before_utc.timestamp() * 1000)
        entry = hashlib.sha256(public_der(issuer)).digest() + len(tbs).to_bytes(3, "big") + tbs
        signature = sign(key, struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + struct.pack("!H", 0))
        head = struct.pack("!B32sQH", 0, self.log_id, milliseconds, 0)
        sha256, ecdsa = 4, 3
        return head + struct.pack("!BBH", sha256, ecdsa, len(signature)) + signature


class Authority:
    """A root and an intermediate certificate, and the leaf certificates that the latter signs."""

    def __init__(self) -> None:
        self.log = CertificateLog()
        self._root_key, self.key = new_key(), new_key()
        self._root_name, self._name = _name("root"), _name("intermediate")
        self.root = self._ca(self._root_name, self._root_key, self._root_name, self._root_key)
        self.intermediate = self._ca(self._name, self.key, self._root_name, self._root_key)

    def issue(
        self,
        key: ec.EllipticCurvePrivateKey,
        identity: Identity,
        since: datetime,
        *,
        issuer_key: ec.EllipticCurvePrivateKey | None = None,
        log_key: ec.EllipticCurvePrivateKey | None = None,
        timestamps: int = 1,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        digital_signature: bool = True,
    ) -> x509.Certificate:
        """Return a certificate for an identity, in the shape and with the order of extensions that Fulcio uses."""
        issuer_key = issuer_key or self.key
        builder = (
            x509.CertificateBuilder()
            # With nothing in the subject, the alternative name has to be critical.
            .subject_name(x509.Name([]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + _VALID_FOR)
            .add_extension(
                x509.KeyUsage(
                    **_KEY_USAGE | {"digital_signature": digital_signature, "content_commitment": not digital_signature}
                ),
                critical=True,
            )
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(identity.subjects()), critical=True)
        )
        for arc, value in identity.extensions().items():
            if value is not None:
                builder = builder.add_extension(encoded(arc, value), critical=False)
        # The timestamp covers the certificate as it would be without it, down to serial number and dates.
        bare = builder.sign(issuer_key, hashes.SHA256())
        if not timestamps:
            return bare
        timestamp = self.log.timestamp(bare, self.key, key=log_key or self.log.key)
        listed = (len(timestamp).to_bytes(2, "big") + timestamp) * timestamps
        content = asn1.encode_der(len(listed).to_bytes(2, "big") + listed)
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), content)
        return builder.add_extension(extension, critical=False).sign(issuer_key, hashes.SHA256())

    def trusted(self) -> dict[str, Any]:
        """Return the members that the authority and its log add to a trust root."""
        chain = [{"rawBytes": cert.public_bytes(serialization.Encoding.DER)} for cert in (self.intermediate, self.root)]
        return {
            "certificateAuthorities": [
                {
                    "subject": {"organization": "pinfold.example", "commonName": "root"},
                    "uri": "https://fulcio.example",
                    "certChain": {"certificates": chain},
                    "validFor": {"start": SINCE},
                }
            ],
            "ctlogs": [trusted_log("https://ctfe.example", self.log.key)],
        }

    @staticmethod
    def _ca(
        name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(SINCE)
            .not_valid_after(SINCE + timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**_KEY_USAGE | {"key_cert_sign": True, "crl_sign": True}), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )


def trusted_log(url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """Return a log as a trust root lists it."""
    der = public_der(key)
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": {"start": SINCE}},
        "logId": {"keyId": hashlib.sha256(der).digest()},
    }


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pinfold.example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
