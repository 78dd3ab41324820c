"""Signed notes as in C2SP signed-note (https://c2sp.org/signed-note): a text and Ed25519 signatures of named keys.

A note is the text, an empty line, and one line per signature: an em dash, the key's name, and the base64 of key id and
signature. Whoever holds a key's *verifier key*, one line of text, can check a note with nothing else at hand.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Self

from pinfold.domain.errors import InvalidNote

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_NOTE_BYTES = 128 * 1024
MAX_SIGNATURES = 100

_ED25519 = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_SIGNATURE_START = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_KEY_NAMES = re.compile(r"[\s\x00-\x1f+]")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name that it signs under; `str()` and `parse` speak the verifier key format."""

    name: str
    public_key: bytes
    """32 bytes, as in RFC 8032."""

    def __post_init__(self) -> None:
        _utf8(self.name)
        if not _is_key_name(self.name):
            raise InvalidNote("a key's name must not be empty nor contain a space, a control character or a plus sign")
        if len(self.public_key) != _KEY_BYTES:
            raise InvalidNote(f"a public key has {_KEY_BYTES} bytes, not {len(self.public_key)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a verifier key: `<name>+<key id in hex>+<base64 of algorithm and public key>`; raises InvalidNote."""
        name, _, rest = text.partition("+")
        _, _, encoded = rest.partition("+")
        try:
            key = from_base64(encoded)
        except ValueError:
            raise InvalidNote("a verifier key must be <name>+<id>+<key>, the key in base64") from None
        if key[:1] != _ED25519:
            raise InvalidNote("a verifier key of another kind than Ed25519 is not supported")
        verifier = cls(name, key[1:])
        if str(verifier) != text:
            raise InvalidNote("a verifier key's id does not fit its name and key: was it copied in full?")
        return verifier

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(_ED25519 + self.public_key)}"

    @property
    def key_id(self) -> bytes:
        """The four bytes that, with the name, tell which key signed; they are a hint and no fingerprint."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_ID_BYTES]

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether the key signed a message."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """A private key and the name that it signs under."""

    name: str
    private_key: "Ed25519PrivateKey" = field(repr=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> Self:
        """Return the signer of a raw private key: the 32 secret bytes of RFC 8032."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @cached_property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.private_key.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note that trusted keys signed."""

    text: str
    """With its final newline."""
    signed_by: tuple[Verifier, ...]
    """At least one."""


class _Signature(NamedTuple):
    name: str
    key_id: bytes
    signature: bytes


def sign_note(text: str, signers: Iterable[Signer]) -> bytes:
    """Return a text as a note that every signer signed; raises InvalidNote where no note can say this."""
    message = _utf8(text)
    lines = [
        f"{_SIGNATURE_START}{signer.name} {to_base64(signer.verifier.key_id + signer.private_key.sign(message))}\n"
        for signer in signers
    ]
    note = _utf8(f"{text}\n{''.join(lines)}")
    if _split(note)[0] != text:
        raise InvalidNote("the text of a note must end with a newline")
    return note


def open_note(note: bytes, verifiers: Iterable[Verifier]) -> OpenedNote:
    """Return a note's text and which of the keys signed it; raises InvalidNote where none did.

    Signatures of unknown keys are passed over, be they of witnesses or of keys to come. One wrong signature of a known
    key spoils the note.
    """
    text, signatures = _split(note)
    trusted = set(verifiers)
    signed_by: list[Verifier] = []
    for name, key_id, signature in signatures:
        for verifier in trusted:
            if (verifier.name, verifier.key_id) != (name, key_id):
                continue
            if not verifier.verify(text.encode(), signature):
                raise InvalidNote(f"the note's signature of {name} is wrong: text or signature were changed")
            signed_by.append(verifier)
    if not signed_by:
        raise InvalidNote("the note is signed by no trusted key")
    return OpenedNote(text, tuple(signed_by))


def to_base64(data: bytes) -> str:
    """Return the standard base64 of RFC 4648, section 4."""
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Return what base64 holds; raises ValueError for any spelling but the one that `to_base64` gives."""
    data = b64decode(text, validate=True)
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def _split(note: bytes) -> tuple[str, list[_Signature]]:
    if len(note) > MAX_NOTE_BYTES:
        raise InvalidNote(f"the note is longer than {MAX_NOTE_BYTES} bytes")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise InvalidNote("the note is not UTF-8") from None
    if _CONTROL.search(whole):
        raise InvalidNote("the note contains a control character")
    text, separator, rest = whole.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise InvalidNote("the note does not end with an empty line and signature lines")
    lines = rest.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise InvalidNote(f"the note has more than {MAX_SIGNATURES} signatures")
    if len(set(lines)) != len(lines):
        raise InvalidNote("the note repeats a signature line")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> _Signature:
    name, _, encoded = line.removeprefix(_SIGNATURE_START).partition(" ")
    try:
        data = from_base64(encoded)
    except ValueError:
        data = b""
    if not line.startswith(_SIGNATURE_START) or not _is_key_name(name) or len(data) <= _ID_BYTES:
        raise InvalidNote("the note has a malformed signature line")
    return _Signature(name, data[:_ID_BYTES], data[_ID_BYTES:])


def _is_key_name(name: str) -> bool:
    return bool(name) and not _NOT_IN_KEY_NAMES.search(name)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidNote("the text of a note must be Unicode that UTF-8 can carry") from None
