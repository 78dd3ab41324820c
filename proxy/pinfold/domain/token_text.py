"""How a token is written: `pinfold_<id>_<secret><checksum>`, in letters that no URL, netrc file or header escapes.

The prefix lets scanners for leaked secrets find tokens, the id tells which one to revoke, and the checksum tells one
that was mistyped or cut off from one that does not exist. The secret has 256 bits, so that a plain SHA-256 hides it.
"""

import base64
import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass, field

PREFIX = "pinfold_"
_SECRET_BYTES = 32
_TEXT = re.compile(r"pinfold_([a-z2-7]{7})_([a-z2-7]{52})([a-z2-7]{7})", re.ASCII)


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as it was written: what names it, and what proves that its holder has it."""

    id: str
    sha256: bytes = field(repr=False)
    """Of the whole text; this is all of it that is ever stored."""


def write_token(token_id: str) -> str:
    """Return a new token's text, with a secret that nobody had before."""
    body = f"{PREFIX}{token_id.removeprefix('T-').lower()}_{_letters(secrets.token_bytes(_SECRET_BYTES))}"
    return body + _checksum(body)


def read_token(text: str) -> TokenText | None:
    """Return what a token's text says; None for one that was mistyped, cut off, or never a token."""
    match = _TEXT.fullmatch(text)
    if match is None or _checksum(text[: match.start(3)]) != match[3]:
        return None
    return TokenText(f"T-{match[1].upper()}", hashlib.sha256(text.encode()).digest())


def _checksum(body: str) -> str:
    return _letters(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
