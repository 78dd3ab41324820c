"""Who gets what: authentication and authorisation of every request, in one place before all handlers."""

import base64
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from pinfold.domain.access import Principal
from pinfold.domain.errors import AccessDenied, InvalidName
from pinfold.domain.names import normalise, possible_projects
from pinfold.web.actor import PRINCIPAL, actor_of
from pinfold.web.services import SERVICES
from pinfold.web.staying_local import FORWARDED

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks of whoever asks it."""

    act: str
    """In words, for the refusal; `{index}` stands for the index's name."""
    met: Callable[[web.Request, Principal], bool]


def index_name(request: web.Request) -> str:
    """Return the name of the index that a request's path names; `main` stands at the root."""
    return request.match_info.get("index", "main")


def require(request: web.Request, allowed: bool, act: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise AccessDenied unless something is allowed: 401 where a credential would help and none was sent, else 403.

    A 403 tells whoever asks for a project out of their scope to stop: a 404 would send the client on to the next index,
    where anybody may have put a project of that name.
    """
    if allowed:
        return
    token = request[PRINCIPAL].token
    if token is None:
        raise AccessDenied(
            f"to {act} needs a token, sent as the password of user __token__",
            credential_helps=hdrs.AUTHORIZATION not in request.headers,
        )
    raise AccessDenied(f"token {token.id} ({token.role} for {token.scope}) may not {act}")


ANYBODY: Final = None
"""No need at all, not even that a credential holds."""


def _may_read(request: web.Request, principal: Principal) -> bool:
    index = index_name(request)
    return _nothing_to_hide(request) or all(principal.may_read(index, project) for project in _projects(request))


def _may_list(request: web.Request, principal: Principal) -> bool:
    return _nothing_to_hide(request) or principal.may_list(index_name(request))


def _may_audit_or_stands_by(request: web.Request, principal: Principal) -> bool:
    return principal.may_audit() or _is_local(request)


READ: Final = Need("read from index {index}", _may_read)
LIST: Final = Need("list index {index}", _may_list)
PUBLISH: Final = Need("publish on index {index}", lambda request, principal: principal.may_publish(index_name(request)))
METRICS: Final = Need("read metrics", _may_audit_or_stands_by)

NEEDS: Final = web.AppKey("needs", dict[web.AbstractRoute, Need | None])
"""What each route needs; a route that is not in it is nobody's."""


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks, and whether they may: `request[PRINCIPAL]` is set for all that follows."""
    services = request.app[SERVICES]
    request[PRINCIPAL] = Principal()
    if request.match_info.http_exception is not None:
        return await handler(request)
    need = request.app[NEEDS][request.match_info.route]
    if need is ANYBODY:
        return await handler(request)
    act = need.act.format(index=index_name(request))
    await identify(request)
    allowed = need.met(request, request[PRINCIPAL])
    if not allowed and request[PRINCIPAL].token is None and credential_of(request) is not None:
        why = f"to {act} needs a token of Pinfold's, which what was sent is not"
        await services.authenticate.fail(actor_of(request, services.trusted_proxies), why)
    require(request, allowed, act)
    return await handler(request)


async def identify(request: web.Request) -> None:
    """Find out who asks as of now, which a request that takes long to arrive needs once more; raises AccessDenied."""
    services = request.app[SERVICES]
    if (credential := credential_of(request)) is None:
        request[PRINCIPAL] = services.authenticate.anonymous
    else:
        actor = actor_of(request, services.trusted_proxies)
        request[PRINCIPAL] = await services.authenticate.principal(credential, actor)


async def keep_private(request: web.Request, response: web.StreamResponse) -> None:
    """Keep what somebody got for a token out of caches that others share; not all of them mind `Authorization`."""
    principal = request.get(PRINCIPAL)
    if principal is not None and principal.token is not None:
        told = response.headers.get(hdrs.CACHE_CONTROL)
        response.headers[hdrs.CACHE_CONTROL] = f"private, {told}" if told else "private"


def credential_of(request: web.BaseRequest) -> str | None:
    """Return what a request shows for itself: a Bearer token, or the password of Basic (RFC 7617), whoever the user.

    A user without a password counts as the password, as in `https://TOKEN@host`. None where nothing was sent; empty
    for what cannot be read.
    """
    sent = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(sent) != 1:
        return "" if sent else None
    scheme, _, value = sent[0].strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                decoded = base64.b64decode(value.strip(), validate=True).decode()
            except ValueError:
                return ""
            user, _, password = decoded.partition(":")
            return (password or user).strip()
        case _:
            return ""


def _nothing_to_hide(request: web.Request) -> bool:
    """Tell whether anybody may know that the index that is asked does not exist: where none is closed."""
    services = request.app[SERVICES]
    return index_name(request) not in services.indexes and services.indexes.keys() <= services.open_indexes


def _projects(request: web.Request) -> list[str]:
    """Return the normalised name of the project that a path names, or all that it could mean; never none at all."""
    match = request.match_info
    try:
        if "project" in match:
            return [normalise(match["project"])]
        return possible_projects(match["path"].rpartition("/")[2].removesuffix(".metadata")) or [""]
    except InvalidName:
        # No project has such a name: whoever may read them all is told so by the handler.
        return [""]


def _is_local(request: web.Request) -> bool:
    """Tell whether a request comes from this machine, and not only through a front on it that nobody told of."""
    address = actor_of(request, request.app[SERVICES].trusted_proxies).address
    if address == request.remote and any(header in request.headers for header in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
