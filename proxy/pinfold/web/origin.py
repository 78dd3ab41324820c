"""Where clients reach an index, for the few links that may not be relative."""

import re

from aiohttp import web

from pinfold.web.services import SERVICES

_HOST = re.compile(r"(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def root_of(request: web.Request) -> str | None:
    """Return the outside address of the index that is asked, since provenance needs absolute ones (PEP 740).

    Without a configured address it is what the client asked for; None where that names no host that could be.
    """
    base = request.app[SERVICES].base_url.rstrip("/")
    if not base:
        if not _HOST.fullmatch(request.host):
            return None
        base = f"{request.scheme}://{request.host}"
    index = request.match_info.get("index")
    return f"{base}/{index}" if index else base
