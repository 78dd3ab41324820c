"""One line of JSON a request, without secrets: no query strings, no header but the user agent."""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from pinfold.web.actor import actor_of
from pinfold.web.services import SERVICES

log = logging.getLogger("pinfold.access")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and log a request once it is over, however it ended."""
    services = request.app[SERVICES]
    started = time.perf_counter()
    status, size, line = 499, 0, ""
    try:
        response = await handler(request)
        status, size = response.status, response.body_length or response.content_length or 0
        line = response.headers.get("X-Error-Message", "")
        return response
    finally:
        seconds = time.perf_counter() - started
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "-"
        services.observe_request(route, request.method, status, seconds)
        if log.isEnabledFor(logging.INFO):
            actor = actor_of(request, services.trusted_proxies)
            told = {
                "event": "request",
                "method": request.method,
                "path": request.raw_path.partition("?")[0][:2000],
                "status": status,
                "bytes": size,
                "ms": round(seconds * 1000, 2),
                "address": actor.address,
                "agent": (actor.user_agent or "")[:200],
                **({"reason": line} if line else {}),
            }
            log.info("%(event)s", told)
