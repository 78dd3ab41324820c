"""The routes, all of them in one place, each with what it needs of whoever asks it."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web

from pinfold.web import files, health, integrity, landing, oidc, simple, upload
from pinfold.web.access import ANYBODY, LIST, METRICS, NEEDS, PUBLISH, READ, Need, admit, keep_private
from pinfold.web.access_log import observe
from pinfold.web.errors import explain_errors
from pinfold.web.request_memory import wait_no_longer
from pinfold.web.services import SERVICES, Services
from pinfold.web.staying_local import stay_local


class Route(NamedTuple):
    """One method at one path."""

    method: str
    """GET answers HEAD as well."""
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    need: Need | None


async def _with_slash(_: web.Request) -> web.Response:
    return web.Response(status=301, headers={"Location": "simple/"})


ROUTES: Final = (
    Route("GET", "/", landing.page, ANYBODY),
    Route("GET", "/healthz", health.healthz, ANYBODY),
    Route("GET", "/readyz", health.readyz, ANYBODY),
    Route("GET", "/metrics", health.metrics, METRICS),
    Route("GET", "/_/oidc/audience", oidc.audience, ANYBODY),
    Route("POST", "/_/oidc/mint-token", oidc.mint_token, ANYBODY),
    Route("POST", "/_/oidc/burn-token", oidc.burn_token, ANYBODY),
)
READING: Final = (
    Route("GET", "/simple/", simple.project_names, LIST),
    Route("GET", "/simple", _with_slash, ANYBODY),
    Route("GET", "/simple/{project}/", simple.project_page, READ),
    Route("GET", "/simple/{project}", simple.project_page, READ),
    Route("GET", "/files/{project}/{sha256}/{filename}", files.at_durable_address, READ),
    Route("GET", "/packages/{path:.+}", files.at_upstream_path, READ),
)
AS_OF: Final = "/as-of/{as_of}"
INDEX_ROUTES: Final = (
    *READING,
    *(route._replace(path=AS_OF + route.path) for route in READING),
    Route("GET", "/integrity/{project}/{version}/{filename}/provenance", integrity.provenance, READ),
    Route("POST", "/legacy/", upload.upload, PUBLISH),
    Route("POST", "/legacy", upload.upload, PUBLISH),
)
"""Below every index; the main one stands at the root as well as under its own name."""
PREFIXES: Final = ("", "/{index:[a-z0-9][a-z0-9-]*}")


def build_app(services: Services) -> web.Application:
    """Return the web application over a set of services."""
    # The order matters: what an error was turned into is what is counted and logged.
    app = web.Application(middlewares=[observe, explain_errors, stay_local, admit])
    app.on_response_prepare.extend((keep_private, wait_no_longer))
    app[SERVICES], app[NEEDS] = services, {}
    for route in ROUTES:
        _add(app, route)
    for prefix in PREFIXES:
        for route in INDEX_ROUTES:
            _add(app, route._replace(path=prefix + route.path))
    # A route that was added otherwise would be nobody's to allow.
    if undeclared := [route for route in app.router.routes() if route not in app[NEEDS]]:
        raise RuntimeError(f"routes without a declared need: {undeclared}")
    return app


def _add(app: web.Application, route: Route) -> None:
    for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
        added = app.router.add_route(method, route.path, route.handler)
        app[NEEDS][added] = route.need
