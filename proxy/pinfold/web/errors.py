"""What goes wrong, as an answer that says so: one place for all routes, so that none forgets it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from pinfold.domain.errors import (
    AccessDenied,
    AlreadyPublished,
    FileMismatch,
    InvalidName,
    InvalidUpload,
    Misdirected,
    NotFound,
    PinfoldError,
    StoreError,
    TooManyAttempts,
    UploadTooLarge,
    UploadTooSlow,
    UpstreamError,
)
from pinfold.usecases.file_download import Refused
from pinfold.web.problem import problem, refusal

log = logging.getLogger(__name__)

UNFINISHED: Final = 499
"""The status of a request whose client went before it had its answer, as nginx counts them."""
CHALLENGE = 'Basic realm="pinfold"'

# What such an error itself says is for whoever runs Pinfold: it can name paths of this machine.
_STORE_FAILS: Final = "pinfold: nothing can be decided or recorded now; the server's log has the details"
_INTERNAL: Final = "pinfold: an internal error; the server's log has the details"

_STATUSES: Final = (
    (NotFound, 404),
    (InvalidName, 404),
    (UploadTooLarge, 413),
    (UploadTooSlow, 408),
    (InvalidUpload, 400),
    (AlreadyPublished, 400),
    (Misdirected, 421),
    (UpstreamError, 502),
)
"""Of errors that need no more words than their own; the first kind that fits counts."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into an answer that says so; nothing that fails is ever served."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused)
    except PinfoldError as error:
        return _explained(error)
    except web.HTTPException as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem(error.status, f"pinfold: {error.reason}", headers=allowed)
    except (ConnectionError, TimeoutError):
        if request.transport is None or request.transport.is_closing():
            # Nobody is there to read it; what aiohttp makes of an error would be logged as if it were one of ours.
            return web.Response(status=UNFINISHED)
        raise
    except Exception:
        log.exception("a request failed: %s %s", request.method, request.path)
        return problem(500, _INTERNAL)


def _explained(error: PinfoldError) -> web.Response:
    match error:
        case AccessDenied(credential_helps=True):
            return problem(401, f"pinfold: {error}", headers={"WWW-Authenticate": CHALLENGE})
        case AccessDenied():
            return problem(403, f"pinfold: {error}", title="Access denied")
        case TooManyAttempts():
            return problem(429, f"pinfold: {error}", headers={"Retry-After": str(error.retry_after)})
        case FileMismatch():
            return problem(502, f"pinfold: refused, the bytes are not what the index promised: {error}")
        case StoreError():
            log.error("the store fails: %s", error)
            return problem(503, _STORE_FAILS, headers={"Retry-After": "5"})
        case _:
            status = next((status for kind, status in _STATUSES if isinstance(error, kind)), None)
            if status is not None:
                return problem(status, f"pinfold: {error}")
            log.error("a request failed: %s", error, exc_info=error)
            return problem(500, _INTERNAL)
