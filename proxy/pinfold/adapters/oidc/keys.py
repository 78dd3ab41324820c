"""An issuer's keys, found by OpenID Connect discovery: cached for a while, and looked for anew when one is unknown."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import jwt
import msgspec
from aiohttp import hdrs
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from yarl import URL

from pinfold.adapters.upstream.failures import require_identity
from pinfold.adapters.upstream.transport import Question, Transport
from pinfold.domain.errors import InvalidIdentity, UpstreamError

MAX_AGE = 900.0
"""Seconds that keys are used without another look: an issuer that withdraws one is heeded after these."""
PAUSE = 60.0
"""Seconds between two looks, whatever key a stranger's token claims to be signed with."""
PAUSE_AFTER_FAILURE = 10.0
MAX_DOCUMENT = 256 << 10
MAX_KEYS = 50
RSA_BITS = range(2048, 8192 + 1)

_HEADERS: dict[str, str] = {hdrs.ACCEPT_ENCODING: "identity", hdrs.ACCEPT: "application/json"}


class IssuerKeys:
    """The keys of one issuer; to be closed with `aclose`."""

    def __init__(self, issuer: str, transport: Transport, now: Callable[[], float] = monotonic) -> None:
        self._issuer = issuer
        self._transport = transport
        self._now = now
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fresh_until = self._next_look = float("-inf")
        self._failure: UpstreamError | None = None
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def get(self, key_id: str) -> jwt.PyJWK:
        """Return a key.

        Raises InvalidIdentity where the issuer has none of that id, and UpstreamError where it cannot be asked.
        """
        async with self._turn:
            fresh = self._now() < self._fresh_until
            if not (fresh and key_id in self._keys) and self._now() >= self._next_look:
                await self.load()
            elif not fresh and self._failure is not None:
                raise self._failure
            if key_id not in self._keys:
                raise InvalidIdentity("it is signed with a key that its issuer does not have")
            return self._keys[key_id]

    async def load(self) -> None:
        """Ask for the keys that there are now; raises UpstreamError where there are none that can be used."""
        self._next_look = self._now() + PAUSE_AFTER_FAILURE
        try:
            about = await self._fetch(self._transport.base / ".well-known" / "openid-configuration")
            if about.get("issuer") != self._issuer:
                raise UpstreamError(f"{self._issuer}: describes itself as another issuer")
            keys = _usable((await self._fetch(_address(about.get("jwks_uri")))).get("keys"))
            if not keys:
                raise UpstreamError(f"{self._issuer}: has no keys that can be used")
        except UpstreamError as error:
            self._failure = error
            raise
        self._keys, self._failure = keys, None
        self._fresh_until, self._next_look = self._now() + MAX_AGE, self._now() + PAUSE

    async def _fetch(self, url: URL) -> dict[str, Any]:
        # Nobody else can speak for the issuer: a redirect to another host is not followed.
        question = Question(url, _HEADERS, frozenset((200,)), own_word=True)
        answer = await self._transport.fetch(question, limit=MAX_DOCUMENT)
        require_identity(answer.headers, answer.asked)
        if answer.gone:
            raise UpstreamError(f"{answer.asked}: answered {answer.status}")
        try:
            return msgspec.json.decode(answer.body, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise UpstreamError(f"{answer.asked}: sent no JSON object") from None


def _address(url: object) -> URL:
    try:
        return URL(url if isinstance(url, str) else "")
    except ValueError:
        raise UpstreamError("the issuer's jwks_uri is no address") from None


def _usable(keys: object) -> dict[str, jwt.PyJWK]:
    """Return the keys that signatures can be verified with, by id; the first of an id counts."""
    usable: dict[str, jwt.PyJWK] = {}
    for each in keys[:MAX_KEYS] if isinstance(keys, list) else ():
        if not isinstance(each, dict) or not isinstance(each.get("kid"), str) or each.get("use", "sig") != "sig":
            continue
        algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(each.get("kty")))
        if algorithm is None or each.get("alg", algorithm) != algorithm:
            continue
        try:
            key = jwt.PyJWK(each, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if _is_strong(key.key):
            usable.setdefault(each["kid"], key)
    return usable


def _is_strong(key: object) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size in RSA_BITS
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
