"""The routes, all of them in one place."""

from aiohttp import web

from pinfold.web import files, health, integrity, landing, simple
from pinfold.web.access_log import observe
from pinfold.web.errors import explain_errors
from pinfold.web.services import SERVICES, Services

RESERVED = frozenset(
    {"simple", "files", "packages", "integrity", "legacy", "api", "console", "healthz", "readyz", "metrics", "_"}
)
"""First path segments that can be no index's name."""


def build_app(services: Services) -> web.Application:
    """Return the web application over a set of services."""
    # The order matters: what an error was turned into is what is counted and logged.
    app = web.Application(middlewares=[observe, explain_errors])
    app[SERVICES] = services
    app.router.add_get("/", landing.page)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    # The main index stands at the root as well as under its own name.
    for prefix in ("", "/{index:[a-z0-9][a-z0-9-]*}"):
        app.router.add_get(prefix + "/simple/", simple.project_names)
        app.router.add_get(prefix + "/simple", _with_slash)
        app.router.add_get(prefix + "/simple/{project}/", simple.project_page)
        app.router.add_get(prefix + "/simple/{project}", simple.project_page)
        app.router.add_get(prefix + "/files/{project}/{sha256}/{filename}", files.at_durable_address)
        app.router.add_get(prefix + "/packages/{path:.+}", files.at_upstream_path)
        app.router.add_get(prefix + "/integrity/{project}/{version}/{filename}/provenance", integrity.provenance)
    return app


async def _with_slash(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "simple/"})
