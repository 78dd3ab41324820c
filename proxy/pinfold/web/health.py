"""What operators and orchestrators ask: alive, ready, and how it goes."""

from aiohttp import web

from pinfold.web.services import SERVICES


async def healthz(_: web.Request) -> web.Response:
    """Say that the process answers."""
    return web.json_response({"status": "ok"}, headers={"Cache-Control": "no-store"})


async def readyz(request: web.Request) -> web.Response:
    """Say that requests can be decided: the store answers. Raises StoreError where it does not."""
    await request.app[SERVICES].ready()
    return web.json_response({"status": "ready"}, headers={"Cache-Control": "no-store"})


async def metrics(request: web.Request) -> web.Response:
    """Render the metrics in the Prometheus text format."""
    body = request.app[SERVICES].metrics()
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
