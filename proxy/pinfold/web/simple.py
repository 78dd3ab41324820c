"""The simple repository API: `/simple/` and `/simple/<project>/` (PEP 503, PEP 691), for every index."""

from typing import Final

from aiohttp import web

from pinfold.domain.errors import InvalidName, NotFound
from pinfold.domain.names import normalise
from pinfold.index.negotiate import Encoding, Representation, choose, choose_encoding
from pinfold.usecases.indexes import Index
from pinfold.usecases.project_page import PageAnswer
from pinfold.web.as_of import as_of
from pinfold.web.origin import root_of
from pinfold.web.problem import problem
from pinfold.web.request_memory import may_be_remembered
from pinfold.web.services import SERVICES

CONTENT_TYPES: Final = {
    Representation.JSON: "application/vnd.pypi.simple.v1+json",
    Representation.HTML: "application/vnd.pypi.simple.v1+html; charset=utf-8",
    Representation.LEGACY_HTML: "text/html; charset=utf-8",
}
_NO_SCRIPTS: Final = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


def index_of(request: web.Request) -> Index:
    """Return the index that a request's path names; `main` stands at the root. Raises NotFound."""
    name = request.match_info.get("index", "main")
    index = request.app[SERVICES].indexes.get(name)
    if index is None:
        raise NotFound(f"there is no index {name[:60]!r} here")
    return index


async def project_page(request: web.Request) -> web.StreamResponse:
    """Serve a project's page."""
    index = index_of(request)
    given = request.match_info["project"]
    try:
        name = normalise(given)
    except InvalidName as error:
        raise NotFound(str(error)) from error
    if name != given or not request.path.endswith("/"):
        # Relative, so that it holds behind any front, and made of nothing but the normalised name.
        return web.Response(
            status=301, headers={"Location": f"../{name}/" if request.path.endswith("/") else f"{name}/"}
        )
    representation = choose(request.headers.get("Accept"))
    if representation is None:
        return _not_acceptable()
    encoding = choose_encoding(request.headers.get("Accept-Encoding"))
    moment = as_of(request)
    answer = await request.app[SERVICES].pages.get(index, name, representation, encoding, root_of(request), moment)
    if answer is None and moment is not None:
        return problem(404, f"pinfold: index {index.name} had no file of {name} at {moment:%Y-%m-%d %H:%M} UTC")
    if answer is None:
        return problem(404, f"pinfold: no upstream of index {index.name} has a project {name}{_why_not(index, name)}")
    may_be_remembered(request, answer.stands_until)
    headers = _page_headers(answer, representation, encoding)
    if _matches(request, answer.page.etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=answer.page.body, headers=headers)


async def project_names(request: web.Request) -> web.StreamResponse:
    """Serve the list of all projects, which is the present one also as of a moment."""
    index = index_of(request)
    as_of(request)
    representation = choose(request.headers.get("Accept"))
    if representation is None:
        return _not_acceptable()
    page = await request.app[SERVICES].names.get(index, representation)
    gzipped = choose_encoding(request.headers.get("Accept-Encoding")) is not Encoding.IDENTITY
    headers = {
        "Content-Type": CONTENT_TYPES[representation],
        "ETag": page.etag if gzipped else f"W/{page.etag}",
        "Vary": "Accept, Accept-Encoding",
        "Cache-Control": "max-age=600",
        **_NO_SCRIPTS,
    }
    if _matches(request, page.etag):
        return web.Response(status=304, headers=headers)
    if gzipped:
        return web.Response(body=page.gzipped, headers={**headers, "Content-Encoding": "gzip"})
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method != "HEAD":
        async for piece in page.plain():
            await response.write(piece)
    await response.write_eof()
    return response


def _page_headers(answer: PageAnswer, representation: Representation, encoding: Encoding) -> dict[str, str]:
    headers = {
        "Content-Type": CONTENT_TYPES[representation],
        "ETag": answer.page.etag,
        "Vary": "Accept, Accept-Encoding",
        "Cache-Control": f"max-age={max(int(answer.max_age.total_seconds()), 0)}",
        **_NO_SCRIPTS,
    }
    if encoding is not Encoding.IDENTITY:
        headers["Content-Encoding"] = encoding.value
    if answer.stale:
        headers["Age"] = str(int(answer.age.total_seconds()))
        headers["Warning"] = '111 pinfold "Revalidation Failed"'
        headers["Cache-Control"] = "no-cache"
    return headers


def _matches(request: web.Request, etag: str) -> bool:
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in given.split(","))


def _not_acceptable() -> web.Response:
    return problem(406, f"pinfold: acceptable types are {', '.join(sorted(r.value for r in Representation))}")


def _why_not(index: Index, name: str) -> str:
    if not index.reserves(name):
        return ""
    return "; the name is private to this organisation, so that public upstreams are not asked"
