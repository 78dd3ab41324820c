"""Identity tokens, verified with PyJWT: by nothing that a token chooses itself."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from pinfold.adapters.oidc.keys import IssuerKeys
from pinfold.domain.errors import InvalidIdentity
from pinfold.domain.trusted_publishing import Identity

MAX_ASSERTION = 16 << 10
"""Characters; GitHub's tokens have about 2,000."""
MAX_ID = 256
LEEWAY = 30
"""Seconds that clocks may differ."""
LONGEST_LIFE = 86_400
"""Seconds between a token's issue and its end; GitHub's live for five minutes, GitLab's as long as a job may."""
_REQUIRED = ["iss", "aud", "exp", "iat", "jti"]


class OidcVerifier:
    """Verifies tokens that were made for this installation by one of some issuers."""

    def __init__(self, issuers: Mapping[str, IssuerKeys], audience: str) -> None:
        self._issuers = issuers
        self._audience = audience

    async def aclose(self) -> None:
        """Close every connection."""
        for keys in self._issuers.values():
            await keys.aclose()

    async def verify(self, assertion: str) -> Identity:
        """Return what a token says; raises InvalidIdentity and UpstreamError."""
        issuer, key_id = self._claimed(assertion)
        key = await self._issuers[issuer].get(key_id)
        try:
            claims = jwt.decode(
                assertion,
                key,
                # The key tells how it is used: a token that could choose would take a public key for a shared secret.
                algorithms=[key.algorithm_name],
                issuer=issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except jwt.PyJWTError as error:
            raise InvalidIdentity(_told(error)) from None
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidIdentity("its claims are malformed") from None
        if not isinstance(claims["jti"], str) or not 0 < len(claims["jti"]) <= MAX_ID:
            raise InvalidIdentity("its jti is malformed")
        if not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFE:
            raise InvalidIdentity("it lives longer than a day")
        return Identity(issuer, claims["jti"], datetime.fromtimestamp(claims["exp"], UTC), claims)

    async def ask(self, issuer: str) -> None:
        """See that an issuer's keys can be had; raises UpstreamError."""
        await self._issuers[issuer].load()

    def _claimed(self, assertion: str) -> tuple[str, str]:
        """Return the issuer and the key that a token claims, of which nothing is known yet."""
        if len(assertion) > MAX_ASSERTION:
            raise InvalidIdentity(f"it is longer than {MAX_ASSERTION} characters")
        try:
            header = jwt.get_unverified_header(assertion)
            claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidIdentity("it is no JSON Web Token") from None
        issuer, key_id = claims.get("iss"), header.get("kid")
        if not isinstance(issuer, str) or issuer not in self._issuers:
            raise InvalidIdentity("its issuer is none that is trusted here")
        if not isinstance(key_id, str) or "crit" in header or "b64" in header:
            raise InvalidIdentity("its header is none that is understood here")
        return issuer, key_id


def _told(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.ImmatureSignatureError():
            return "it is not valid yet: see that both clocks are right"
        case jwt.InvalidAudienceError():
            return "it was made for another audience"
        case jwt.MissingRequiredClaimError():
            return f"it has no claim {error.claim}"
        case jwt.InvalidSignatureError() | jwt.InvalidAlgorithmError():
            return "its signature is not its issuer's"
        case _:
            return "its claims are malformed"
