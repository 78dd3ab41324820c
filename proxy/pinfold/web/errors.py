"""What goes wrong, as an answer that says so: one place for all routes, so that none forgets it."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from pinfold.domain.errors import FileMismatch, InvalidName, NotFound, PinfoldError, StoreError, UpstreamError
from pinfold.usecases.file_download import Refused
from pinfold.web.problem import problem, refusal

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into an answer that says so; nothing that fails is ever served."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused)
    except (NotFound, InvalidName) as error:
        return problem(404, f"pinfold: {error}")
    except FileMismatch as error:
        return problem(502, f"pinfold: refused, the bytes are not what the index promised: {error}")
    except UpstreamError as error:
        return problem(502, f"pinfold: {error}")
    except StoreError as error:
        log.error("the store fails: %s", error)
        return problem(503, f"pinfold: nothing can be decided or recorded now: {error}", headers={"Retry-After": "5"})
    except web.HTTPException as error:
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem(error.status, f"pinfold: {error.reason}", headers=allowed)
    except PinfoldError as error:
        return problem(500, f"pinfold: {error}")
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        log.exception("a request failed: %s %s", request.method, request.path)
        return problem(500, "pinfold: an internal error; the server's log has the details")
