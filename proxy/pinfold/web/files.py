"""Files and their metadata: `/files/...`, and PyPI's own `/packages/...`, for every index.

Everything that gives out a byte of a file, or only admits that there is one, passes `FileDownload.ask` first.
"""

import re
from typing import Final

from aiohttp import web

from pinfold.domain.errors import InvalidName, NotFound
from pinfold.domain.names import normalise
from pinfold.usecases.file_download import Address, Ask, FileDownload, Granted
from pinfold.usecases.indexes import Index
from pinfold.web.actor import actor_of
from pinfold.web.as_of import as_of
from pinfold.web.offload import hand_over
from pinfold.web.ranges import asks_for_range
from pinfold.web.request_memory import may_be_remembered, stands_only_for_now
from pinfold.web.services import SERVICES
from pinfold.web.simple import index_of
from pinfold.web.transfer import Transfer

METADATA: Final = ".metadata"
_SHA256 = re.compile(r"[0-9a-f]{64}")


async def at_durable_address(request: web.Request) -> web.StreamResponse:
    """Serve `/files/<project>/<sha256>/<filename>`, with `.metadata` behind it the metadata."""
    match = request.match_info
    filename = match["filename"]
    try:
        project = normalise(match["project"])
    except InvalidName as error:
        raise NotFound(str(error)) from error
    if project != match["project"] or not _SHA256.fullmatch(match["sha256"]):
        raise NotFound("a file's address is /files/<normalised project>/<lower-case sha256>/<file name>")
    address = Address(project, match["sha256"], filename.removesuffix(METADATA))
    return await _serve(request, index_of(request), address, metadata=filename.endswith(METADATA))


async def at_upstream_path(request: web.Request) -> web.StreamResponse:
    """Serve PyPI's own file path, so that a lock file moves here by swapping a prefix."""
    index = index_of(request)
    path = "/packages/" + request.match_info["path"]
    address = await request.app[SERVICES].files.locate(index, path.removesuffix(METADATA))
    response = await _serve(request, index, address, metadata=path.endswith(METADATA))
    # Which project has the path depends on others as well.
    stands_only_for_now(request)
    return response


async def _serve(request: web.Request, index: Index, address: Address, *, metadata: bool) -> web.StreamResponse:
    services = request.app[SERVICES]
    etag = f'"{address.sha256}"'
    ranged = not metadata and asks_for_range(request.headers.get("Range")) and _if_range_holds(request, etag)
    ask = Ask(
        actor_of(request, services.trusted_proxies),
        request.method,
        "metadata" if metadata else request.headers["Range"][:60] if ranged else None,
        as_of(request),
    )
    granted = await services.files.ask(index, address, ask)
    if metadata:
        return await _metadata(request, services.files, granted)
    headers = {
        "Content-Type": "application/octet-stream",
        "ETag": etag,
        "Accept-Ranges": "bytes",
        # Clients may keep the bytes, but ask each time whether they may use them: that is when they are judged again.
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if _has_current(request, etag):
        if request.method == "GET":
            granted = await services.files.vouch(granted, ask)
            await services.files.record_served(granted, ask, unchanged=True)
        return web.Response(status=304, headers=headers)
    if request.method == "HEAD":
        return await _head(services.files, granted, headers)
    handed_over = await hand_over(request, granted, ask, headers)
    if handed_over is not None:
        return handed_over
    return await Transfer(services.files, granted, ask).run(request, headers, ranged=ranged)


async def _metadata(request: web.Request, files: FileDownload, granted: Granted) -> web.StreamResponse:
    content = await files.metadata(granted)
    may_be_remembered(request, files.metadata_stands_until(granted))
    etag = f'"{granted.judged.file.sha256}.metadata"'
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "ETag": etag,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if _has_current(request, etag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, headers=headers)


async def _head(files: FileDownload, granted: Granted, headers: dict[str, str]) -> web.StreamResponse:
    length = await files.length(granted)
    if length is not None:
        headers = {**headers, "Content-Length": str(length)}
    return web.Response(headers=headers)


def _has_current(request: web.Request, etag: str) -> bool:
    given = request.headers.get("If-None-Match")
    return given is not None and etag in (tag.strip().removeprefix("W/") for tag in given.split(","))


def _if_range_holds(request: web.Request, etag: str) -> bool:
    # A date cannot vouch for bytes as a hash can, so that only the entity tag counts (RFC 9110, section 13.1.5).
    return request.headers.get("If-Range", etag).strip() == etag
