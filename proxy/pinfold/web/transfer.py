"""A file's bytes on their way to a client, and what the log is told where they do not arrive."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import BinaryIO, Final, cast

import aiofastnet
from aiohttp import web

from pinfold.domain.errors import PinfoldError
from pinfold.ports.audit_log import Appended
from pinfold.usecases.file_content import Content, Stored
from pinfold.usecases.file_download import Ask, FileDownload, Granted
from pinfold.web.page_cache import bring_in, is_in_memory
from pinfold.web.problem import problem
from pinfold.web.ranges import Unsatisfiable, resolve_range
from pinfold.web.request_memory import AGAIN, may_be_remembered

SLICE: Final = 4 * 1024 * 1024
CHUNK: Final = 1024 * 1024
STALLED: Final = 480.0
"""Seconds in which a client must take the next slice of a file; one that does not is let go."""


class Transfer:
    """A granted file, or a range of it, on its way to one client."""

    def __init__(self, files: FileDownload, granted: Granted, ask: Ask) -> None:
        self._files = files
        self._granted = granted
        self._ask = ask
        self._sent = 0

    async def run(self, request: web.Request, headers: dict[str, str], *, ranged: bool) -> web.StreamResponse:
        """Send the bytes; a client that does not get all of them leaves a second audit entry that says so."""
        content, served = await self._files.open(self._granted, self._ask)
        length = content.length
        try:
            if ranged and length is None:
                # A range cannot be answered before the length is known, which some upstreams tell only by ending.
                length = await content.whole()
            part = resolve_range(request.headers.get("Range"), length) if ranged and length is not None else None
        except PinfoldError as error:
            await self._broken_off(served, _why_broken_off(error))
            raise
        except Unsatisfiable:
            await self._broken_off(served, "the range is beyond the file's end")
            return problem(416, f"pinfold: the file has {length} bytes", headers={"Content-Range": f"bytes */{length}"})
        response = _response(headers, part, length)

        async def send() -> None:
            # From here on: whoever went while this was recorded does not get even the head.
            await response.prepare(request)
            with await _open(content) as file:
                if length is None:
                    await self._send_chunked(response, content, file)
                else:
                    await self._send(_transport(request), content, file, part or (0, length))
            await response.write_eof()

        await self._see_to(send, served, request.transport)
        if part is None and isinstance(content, Stored) and not self._granted.awaits_inspection:
            request[AGAIN] = lambda transport, head: Transfer(self._files, self._granted, self._ask).run_again(
                transport, head, content, served
            )
            may_be_remembered(request, self._granted.stands_until)
        return response

    async def run_again(
        self, transport: asyncio.Transport, head: bytes, content: Stored, served_before: Appended
    ) -> None:
        """Send a whole file that was sent a moment ago, with the head that it had then."""
        served = await self._files.record_again(self._granted, served_before)

        async def send() -> None:
            transport.write(head)
            # The transport keeps this object, of which it wants no more than the descriptor, until all is sent.
            file = cast("BinaryIO", content)
            for position in range(0, content.length, SLICE):
                upto = min(position + SLICE, content.length)
                if position > 0:
                    # The first was read a moment ago; how long ago this is, a slow client decides.
                    await _bring_in(file, position, upto)
                _expect_open(transport)
                waiting = cast("aiofastnet.Transport", transport).sendfile(file, position, upto - position)
                # The kernel takes most files at once.
                if waiting is not None:
                    async with asyncio.timeout(STALLED):
                        await waiting
                self._has_sent(file, position, upto)

        await self._see_to(send, served, transport)

    async def _see_to(
        self, send: Callable[[], Awaitable[None]], served: Appended, transport: asyncio.Transport | None
    ) -> None:
        try:
            await send()
        except (Exception, asyncio.CancelledError) as error:
            # The client was promised more bytes, and whatever else it were sent now would be taken for them: to end the
            # connection early is the only way to say that something is wrong.
            if transport is not None:
                transport.abort()
            await asyncio.shield(self._broken_off(served, _why_broken_off(error)))
            raise

    async def _send(
        self, transport: asyncio.Transport, content: Content, file: BinaryIO, part: tuple[int, int]
    ) -> None:
        """Let the kernel send bytes from the file."""
        position, end = part
        while position < end:
            upto = min(position + SLICE, await content.shown(position), end)
            if upto <= position:
                return
            await _bring_in(file, position, upto)
            _expect_open(transport)
            async with asyncio.timeout(STALLED):
                await aiofastnet.sendfile(asyncio.get_running_loop(), transport, file, position, upto - position)
            self._has_sent(file, position, upto)
            position = upto

    def _has_sent(self, file: BinaryIO, position: int, upto: int) -> None:
        # A file that is too short is sent as far as it goes, without a word.
        if os.fstat(file.fileno()).st_size < upto:
            raise ConnectionResetError("the file ended early")
        self._sent += upto - position

    async def _send_chunked(self, response: web.StreamResponse, content: Content, file: BinaryIO) -> None:
        """Send a file of unknown length in chunks, which the kernel cannot frame."""
        while (upto := min(self._sent + CHUNK, await content.shown(self._sent))) > self._sent:
            chunk = await asyncio.to_thread(os.pread, file.fileno(), upto - self._sent, self._sent)
            if not chunk:
                raise ConnectionResetError("the file ended early")
            async with asyncio.timeout(STALLED):
                await response.write(chunk)
            self._sent += len(chunk)

    async def _broken_off(self, served: Appended, why: str) -> None:
        await self._files.record_broken_off(self._granted, self._ask, served, self._sent, why)


async def _open(content: Content) -> BinaryIO:
    file = content.open_at_once()
    return file if file is not None else await asyncio.to_thread(content.open)


async def _bring_in(file: BinaryIO, position: int, upto: int) -> None:
    """See to it that the kernel has a part of a file in memory: to wait for a disk would hold up everybody else."""
    if not is_in_memory(file.fileno(), position, upto - position):
        await asyncio.to_thread(bring_in, file.fileno(), position, upto - position)


def _expect_open(transport: asyncio.Transport) -> None:
    if transport.is_closing():
        raise ConnectionResetError("the client hung up")


def _transport(request: web.Request) -> asyncio.Transport:
    if request.transport is None:
        raise ConnectionResetError("the client hung up")
    return request.transport


def _response(headers: dict[str, str], part: tuple[int, int] | None, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
    if part is not None:
        first, end = part
        response.headers["Content-Range"] = f"bytes {first}-{end - 1}/{length}"
        response.content_length = end - first
    elif length is not None:
        response.content_length = length
    return response


def _why_broken_off(error: BaseException) -> str:
    if isinstance(error, PinfoldError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the client stopped reading"
    if isinstance(error, ConnectionError | asyncio.CancelledError):
        return "the client hung up"
    return f"an internal error: {type(error).__name__}"
