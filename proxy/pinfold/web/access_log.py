"""One line of JSON a request, without secrets: no query strings, no header but the user agent."""

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import hdrs, web

from pinfold.usecases.authenticate import Authenticate
from pinfold.web.actor import PRINCIPAL, actor_of
from pinfold.web.answers import Observed
from pinfold.web.errors import UNFINISHED
from pinfold.web.request_memory import AGAIN, BROKEN_OFF, OBSERVED
from pinfold.web.services import SERVICES

log = logging.getLogger("pinfold.access")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and log a request once it is over, however it ended."""
    started = time.perf_counter()
    status, size, line = UNFINISHED, 0, ""
    try:
        response = await handler(request)
        # What the kernel sends of a file is in no body length.
        has_body = request.method != hdrs.METH_HEAD and response.status != HTTPStatus.NOT_MODIFIED
        status, size = response.status, (response.content_length or response.body_length or 0) if has_body else 0
        line = response.headers.get("X-Error-Message", "")
        return response
    finally:
        observed = request[OBSERVED] = _observer(request, status, size, line)
        observed(time.perf_counter() - started, request.remote)
        if AGAIN in request:
            request[BROKEN_OFF] = _observer(request, UNFINISHED, 0, "")


def _observer(request: web.Request, status: int, size: int, line: str) -> Observed:
    """Return what counts and logs a request with its answer, however often it is the same."""
    services, resource = request.app[SERVICES], request.match_info.route.resource
    count = services.count_requests(resource.canonical if resource is not None else "-", request.method, status)
    if (principal := request.get(PRINCIPAL)) is not None and principal.token is not None:
        count = _noting_use(count, services.authenticate, principal.token.id)
    if not log.isEnabledFor(logging.INFO):
        return lambda seconds, _: count(seconds)
    actor = actor_of(request, services.trusted_proxies)
    told_by_a_front = actor.address if actor.address != request.remote else None
    told = {
        "event": "request",
        "method": request.method,
        "path": request.raw_path.partition("?")[0][:2000],
        "status": status,
        "bytes": size,
        "ms": 0.0,
        "address": actor.address,
        "agent": (actor.user_agent or "")[:200],
        **({"reason": line} if line else {}),
    }

    def observed(seconds: float, peer: str | None) -> None:
        count(seconds)
        log.info("%(event)s", {**told, "ms": round(seconds * 1000, 2), "address": told_by_a_front or peer})

    return observed


def _noting_use(count: Callable[[float], None], authenticate: Authenticate, token_id: str) -> Callable[[float], None]:
    def observed(seconds: float) -> None:
        authenticate.note_use(token_id)
        count(seconds)

    return observed
