"""A server that no setting tells of an outside answers this machine alone, by names that are nobody else's.

It may be read without a token because only this machine can ask. A browser that a page leads here by a name of its own
(DNS rebinding), and a front that no setting mentions, would make the world look local.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web

from pinfold.domain.errors import Misdirected
from pinfold.web.services import SERVICES

FORWARDED: Final = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")
"""What fronts add to requests that they pass on."""

_HOST = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def stay_local(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let pass what this machine asks itself, or everything where others may ask; raise Misdirected for the rest."""
    if not request.app[SERVICES].stays_local:
        return await handler(request)
    host = request.headers.get(hdrs.HOST, "")
    if not is_this_machine(host):
        raise _misdirected(f"as {host[:100]}", "server.base_url to the address that it is reached by")
    if (front := next((name for name in FORWARDED if name in request.headers), None)) is not None:
        raise _misdirected(f"through a front, which sent {front}", "server.trusted_proxies to its address")
    return await handler(request)


def _misdirected(how: str, setting: str) -> Misdirected:
    return Misdirected(
        f"this server is for its machine alone, and was asked {how}: set {setting}, "
        "and who may read, by tokens or by anonymous = true of an index"
    )


@lru_cache(maxsize=64)
def is_this_machine(host: str) -> bool:
    """Tell whether a `Host` header names this machine as no name that others give out can (RFC 6761, section 6.3).

    A request without one comes from no browser.
    """
    if (parts := _HOST.fullmatch(host)) is None:
        return False
    name = (parts["address"] or parts["name"]).lower().removesuffix(".")
    if name in ("", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
