"""Trusted publishing as PyPI offers it: `/_/oidc/audience`, `/_/oidc/mint-token` and `/_/oidc/burn-token`."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

import msgspec
from aiohttp import web

from pinfold.domain.errors import (
    AccessDenied,
    InvalidIdentity,
    InvalidRecord,
    NotFound,
    TooManyAttempts,
    UnknownPublisher,
    UpstreamError,
)
from pinfold.web.actor import actor_of
from pinfold.web.services import SERVICES

MAX_BODY: Final = 32 << 10
PATIENCE: Final = 10.0
"""Seconds that a client may take to send a body."""
_NOT_ENABLED: Final = "Trusted publishing functionality not enabled"


class _Payload(msgspec.Struct):
    token: str


async def audience(request: web.Request) -> web.Response:
    """Tell for whom a workflow has to have its identity made."""
    use = request.app[SERVICES].trusted_publishing
    return _answer(200, {"audience": use.audience}) if use.offered else _answer(404, {"message": _NOT_ENABLED})


async def mint_token(request: web.Request) -> web.Response:
    """Exchange an identity for a short-lived token, or say why not in PyPI's words, which clients print."""
    services = request.app[SERVICES]
    if not services.trusted_publishing.offered:
        return _refused(404, "not-enabled", _NOT_ENABLED)
    actor = actor_of(request, services.trusted_proxies)
    try:
        # A signature costs more than a comparison: where too many failed, none is looked at.
        services.authenticate.heed_limit(actor.address)
        payload = await _payload(request)
        try:
            new = await services.trusted_publishing.mint(payload.token, actor)
        except (InvalidIdentity, UnknownPublisher) as error:
            await services.authenticate.count(actor, f"trusted publishing: {error}")
            raise
    except msgspec.DecodeError as error:
        return _refused(422, "invalid-payload", str(error))
    except InvalidIdentity as error:
        return _refused(422, "invalid-token", f"malformed or invalid token: {error}")
    except UnknownPublisher as error:
        return _refused(422, "invalid-publisher", f"valid token, but no corresponding publisher ({error})")
    except TooManyAttempts as error:
        return _refused(429, "too-many-attempts", str(error), {"Retry-After": str(error.retry_after)})
    except UpstreamError as error:
        return _refused(503, "issuer-unavailable", str(error), {"Retry-After": "15"})
    expires = int(new.token.expires_at.timestamp()) if new.token.expires_at else None
    return _answer(200, {"success": True, "message": "Token minted", "token": new.text, "expires": expires})


async def burn_token(request: web.Request) -> web.Response:
    """Revoke the token that is sent, as uv does when it is done; the answer does not tell whether there was one."""
    services = request.app[SERVICES]
    actor = actor_of(request, services.trusted_proxies)
    try:
        principal = await services.authenticate.principal((await _payload(request)).token, actor)
        if principal.token is not None:
            await services.tokens.revoke(principal.token.id, replace(actor, name=principal.token.name))
    except (AccessDenied, NotFound, InvalidRecord, msgspec.DecodeError):
        # None, or one that was revoked or ended in this very moment.
        pass
    return _answer(202, {})


async def _payload(request: web.Request) -> _Payload:
    """Return a request's body; raise DecodeError for one of another form, too long, or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY:
                    raise msgspec.DecodeError(f"the payload is longer than {MAX_BODY} bytes")
    except TimeoutError:
        raise msgspec.DecodeError(f"the payload was not here after {PATIENCE:g} s") from None
    return msgspec.json.decode(bytes(body), type=_Payload)


def _refused(status: int, code: str, description: str, headers: dict[str, str] | None = None) -> web.Response:
    errors = [{"code": code, "description": description}]
    return _answer(status, {"message": "Token request failed", "errors": errors}, headers)


def _answer(status: int, document: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(document).encode(),
        headers={
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        },
    )
