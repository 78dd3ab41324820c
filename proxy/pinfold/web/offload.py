"""A file that is left to the front server to send, once Pinfold has decided and recorded that it may be.

nginx takes a response with `X-Accel-Redirect` for the order to send the file at that internal location
(nginx.org/en/docs/http/ngx_http_proxy_module.html, `proxy_ignore_headers`); it sees to `Range` by itself.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from pinfold.usecases.file_download import Ask, Granted
from pinfold.web.services import SERVICES

X_ACCEL_REDIRECT: Final = "X-Accel-Redirect"


async def hand_over(
    request: web.Request, granted: Granted, ask: Ask, headers: Mapping[str, str]
) -> web.Response | None:
    """Record that the front sends a file, and return what tells it to; None where Pinfold has to send it itself.

    That is what is not here as a whole or not judged for good yet, and whatever anybody but a trusted front asks for. A
    part on the condition of an entity tag (`If-Range`) is Pinfold's as well: nginx does not know the tag.
    """
    services = request.app[SERVICES]
    front = services.front_files
    if front is None or request.remote not in services.trusted_proxies or "If-Range" in request.headers:
        return None
    stored = await services.files.whole(granted)
    if stored is None:
        return None
    await services.files.record_served(granted, ask, sent_by="front")
    return web.Response(headers={**headers, X_ACCEL_REDIRECT: front.place_of(stored.path)})
