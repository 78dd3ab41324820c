"""Files and their metadata: `/files/...`, and PyPI's own `/packages/...`, for every index.

Everything that gives out a byte of a file, or only admits that there is one, passes `FileDownload.ask` first.
"""

import asyncio
import os
import re
from typing import BinaryIO, Final

import aiofastnet
from aiohttp import web

from pinfold.domain.errors import InvalidName, NotFound, PinfoldError
from pinfold.domain.names import normalise
from pinfold.usecases.file_content import Content
from pinfold.usecases.file_download import Address, Ask, FileDownload, Granted
from pinfold.usecases.indexes import Index
from pinfold.web.actor import actor_of
from pinfold.web.as_of import as_of
from pinfold.web.page_cache import bring_in, is_in_memory
from pinfold.web.problem import problem
from pinfold.web.ranges import Unsatisfiable, asks_for_range, resolve_range
from pinfold.web.request_memory import may_be_remembered
from pinfold.web.services import SERVICES
from pinfold.web.simple import index_of

METADATA: Final = ".metadata"
SLICE: Final = 1024 * 1024
STALLED: Final = 120.0
"""Seconds in which a client must take the next slice of a file; one that does not is let go."""
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
    return await _serve(request, index, address, metadata=path.endswith(METADATA))


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
    return await _Transfer(request, services.files, granted, ask, headers).run(ranged=ranged)


async def _metadata(request: web.Request, files: FileDownload, granted: Granted) -> web.StreamResponse:
    content = await files.metadata(granted)
    may_be_remembered(request, granted.stands_until)
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


class _Transfer:
    """One file, or a range of it, on its way to one client."""

    def __init__(
        self, request: web.Request, files: FileDownload, granted: Granted, ask: Ask, headers: dict[str, str]
    ) -> None:
        self._request = request
        self._files = files
        self._granted = granted
        self._ask = ask
        self._headers = headers
        self._sent = 0

    async def run(self, *, ranged: bool) -> web.StreamResponse:
        """Send the bytes; a client that does not get all of them leaves a second audit entry that says so."""
        content, served = await self._files.open(self._granted, self._ask)
        # A range cannot be answered before the length is known, which some upstreams tell only by ending.
        length = await content.whole() if ranged and content.length is None else content.length
        try:
            part = resolve_range(self._request.headers.get("Range"), length) if ranged and length is not None else None
        except Unsatisfiable:
            await self._broken_off(served, "the range is beyond the file's end")
            return problem(416, f"pinfold: the file has {length} bytes", headers={"Content-Range": f"bytes */{length}"})
        response = self._response(part, length)
        await response.prepare(self._request)
        try:
            file = content.open_again()
            if file is None:
                file = await asyncio.to_thread(content.open)
            with file:
                await self._send(response, content, file, part or (0, length))
            await response.write_eof()
        except (Exception, asyncio.CancelledError) as error:
            # The client was promised more bytes, and whatever else it were sent now would be taken for them: to end the
            # connection early is the only way to say that something is wrong.
            self._hang_up()
            await asyncio.shield(self._broken_off(served, _why_broken_off(error)))
            raise
        return response

    def _response(self, part: tuple[int, int] | None, length: int | None) -> web.StreamResponse:
        response = web.StreamResponse(status=200 if part is None else 206, headers=self._headers)
        if part is not None:
            first, end = part
            response.headers["Content-Range"] = f"bytes {first}-{end - 1}/{length}"
            response.content_length = end - first
        elif length is not None:
            response.content_length = length
        return response

    async def _send(
        self, response: web.StreamResponse, content: Content, file: BinaryIO, part: tuple[int, int | None]
    ) -> None:
        position, end = part
        while end is None or position < end:
            shown = await content.shown(position)
            upto = min(position + SLICE, shown if end is None else min(shown, end))
            if upto <= position:
                return
            async with asyncio.timeout(STALLED):
                if end is None:
                    # In chunks, which the kernel cannot frame.
                    chunk = await asyncio.to_thread(os.pread, file.fileno(), upto - position, position)
                    await response.write(chunk)
                    count = len(chunk)
                else:
                    count = await self._send_slice(file, position, upto - position)
            if not count:
                raise ConnectionResetError("the file ended early")
            position += count
            self._sent += count

    async def _send_slice(self, file: BinaryIO, position: int, count: int) -> int:
        """Let the kernel send bytes from the file, once they are in memory: a disk would hold up everybody else."""
        if not is_in_memory(file.fileno(), position, count):
            await asyncio.to_thread(bring_in, file.fileno(), position, count)
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client hung up")
        await aiofastnet.sendfile(asyncio.get_running_loop(), transport, file, position, count)
        # A file that is too short is sent as far as it goes, without a word.
        return count if os.fstat(file.fileno()).st_size >= position + count else 0

    async def _broken_off(self, served: int, why: str) -> None:
        await self._files.record_broken_off(self._granted, self._ask, served, self._sent, why)

    def _hang_up(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _why_broken_off(error: BaseException) -> str:
    if isinstance(error, PinfoldError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the client stopped reading"
    if isinstance(error, ConnectionError | asyncio.CancelledError):
        return "the client hung up"
    return f"an internal error: {type(error).__name__}"
