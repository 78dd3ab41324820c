"""Who asks, read from a request: the client's address and what its user agent says of itself."""

import ipaddress
import json
import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from aiohttp import web

from pinfold.domain.access import Principal
from pinfold.domain.audit_entry import Actor

PRINCIPAL = web.RequestKey("principal", Principal)
"""Who asks, on every request that reached a handler."""

_PRODUCT = re.compile(r"([A-Za-z0-9_.-]{1,40})/([A-Za-z0-9_.+!-]{1,40})")
_PYTHON = re.compile(r"(?:CPython|PyPy|Python)/(\d[\w.]{0,20})", re.IGNORECASE)
MAX_USER_AGENT = 1024
CLIENTS = 1024
"""User agents at their addresses that are remembered as they were read: each request asks more than once."""


def actor_of(request: web.BaseRequest, trusted_proxies: Collection[str]) -> Actor:
    """Return the actor of a request.

    `X-Forwarded-For` is believed only as far as it was written by a proxy that the settings trust.
    """
    agent = printable(request.headers.get("User-Agent", "")[:MAX_USER_AGENT])
    address, principal = _address(request, trusted_proxies), request.get(PRINCIPAL)
    actor = _read(agent, address)
    if principal is None or principal.token is None:
        return actor
    return replace(actor, name=principal.token.name, token=principal.token.id)


def printable(text: str) -> str:
    """Return a header's text without what could steer a terminal or break a line."""
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def _address(request: web.BaseRequest, trusted_proxies: Collection[str]) -> str | None:
    address = request.remote
    forwarded = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    while address in trusted_proxies and forwarded:
        hop = forwarded.pop()
        try:
            address = str(ipaddress.ip_address(hop))
        except ValueError:
            break
    return address


@lru_cache(CLIENTS)
def _read(agent: str, address: str | None) -> Actor:
    """Read a user agent as pip and uv write it (`pip/26.3 {json}`) or as Poetry, PDM and others do (words)."""
    product = _PRODUCT.match(agent)
    told = _told(agent)
    python, ci = told.get("python"), told.get("ci")
    if python is None and (words := _PYTHON.search(agent)):
        python = words[1]
    return Actor(
        address=address,
        installer=product[1].lower() if product else None,
        installer_version=product[2] if product else None,
        python=python if isinstance(python, str) else None,
        # pip writes null where it sees no CI, for it cannot be sure that there is none.
        ci=ci if isinstance(ci, bool) else None,
        user_agent=agent or None,
    )


def _told(agent: str) -> dict[str, object]:
    start = agent.find("{")
    if start < 0:
        return {}
    try:
        told = json.loads(agent[start:])
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
