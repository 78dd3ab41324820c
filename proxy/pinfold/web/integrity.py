"""PyPI's integrity API (PEP 740): `/integrity/<project>/<version>/<file>/provenance`, for every index."""

import hashlib
import json
from typing import Final

from aiohttp import web

from pinfold.domain.errors import InvalidName, NotFound
from pinfold.domain.names import normalise
from pinfold.index.negotiate import choose_provenance_type
from pinfold.usecases.file_download import Ask
from pinfold.web.actor import actor_of
from pinfold.web.services import SERVICES
from pinfold.web.simple import index_of

_HEADERS: Final = {
    "Vary": "Accept",
    # The file's decision may change at any time, and whether its provenance may be had with it.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
}


async def provenance(request: web.Request) -> web.StreamResponse:
    """Serve a file's provenance, with PyPI's own answers where there is none or none is acceptable."""
    services, match = request.app[SERVICES], request.match_info
    content_type = choose_provenance_type(request.headers.get("Accept"))
    if content_type is None:
        return _message(406, "Request not acceptable")
    try:
        project = normalise(match["project"])
    except InvalidName as error:
        raise NotFound(str(error)) from error
    ask = Ask(actor_of(request, services.trusted_proxies), request.method, "provenance")
    content = await services.provenance.get(index_of(request), project, match["version"], match["filename"], ask)
    if content is None:
        return _message(404, f"No provenance available for {match['filename']}")
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "Content-Type": content_type, "ETag": etag}
    if etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")):
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, headers=headers)


def _message(status: int, text: str) -> web.Response:
    body = json.dumps({"message": text}).encode()
    return web.Response(status=status, body=body, headers={**_HEADERS, "Content-Type": "application/json"})
