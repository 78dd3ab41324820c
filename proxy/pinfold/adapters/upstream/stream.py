"""The bytes of one file, over as many connections as it takes."""

import time
from collections.abc import AsyncGenerator

import aiohttp
from aiohttp import hdrs
from yarl import URL

from pinfold.adapters.upstream.failures import Transient, require_identity, told
from pinfold.adapters.upstream.ranges import parse_content_range
from pinfold.adapters.upstream.transport import READ_SIZE, Question, Transport
from pinfold.domain.errors import NotFound, UpstreamError


class FileStream:
    """A file from an offset on.

    When a connection breaks, the next one goes on where it broke; nothing is handed out twice. That the parts fit
    together is for the hash of the whole to say, which whoever takes the bytes verifies.
    """

    def __init__(self, transport: Transport, url: URL, first: int) -> None:
        self._transport = transport
        self._url = url
        self._asked = transport.asked(url)
        self._position = first
        self._skip = 0
        """How many bytes of the present response come before the position."""
        self._size: int | None = None
        """Of the whole file, once it is known."""
        self._response: aiohttp.ClientResponse | None = None
        self._received = 0
        self.waited = 0.0
        """Seconds spent waiting for the upstream, not counting what the taker of the bytes took."""

    async def open(self) -> int | None:
        """Ask for the bytes and return how many will come, where that is known; raise NotFound or UpstreamError."""
        self._response = await self._ask()
        return None if self._size is None else self._size - self._position

    def close(self) -> None:
        """Give the connection back, or close it where bytes are still to come."""
        if self._response is not None:
            self._response.release()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they come; raise UpstreamError unless all of them do."""
        breaks = 0
        while True:
            try:
                while chunk := await self._next():
                    self._position += len(chunk)
                    if self._size is not None and self._position > self._size:
                        raise UpstreamError(f"{self._asked}: sent more than the {self._size} bytes that it announced")
                    yield chunk
                if self._size is None or self._position == self._size:
                    return
                raise Transient(f"{self._asked}: truncated at byte {self._position} of {self._size}")
            except Transient:
                breaks += 1
                if breaks > self._transport.options.retries:
                    raise
            await self._resume()

    async def _next(self) -> bytes:
        """Return the next bytes from the position on, or none at the end."""
        while chunk := await self._read():
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            if skipped < len(chunk):
                return chunk[skipped:]
        return b""

    async def _read(self) -> bytes:
        assert self._response is not None  # noqa: S101 - opened before it is read
        options = self._transport.options
        started = time.monotonic()
        with told(self._asked):
            chunk = await self._response.content.read(READ_SIZE)
        self.waited += time.monotonic() - started
        self._received += len(chunk)
        if self.waited > options.rate_grace and self._received < self.waited * options.minimum_rate:
            raise UpstreamError(f"{self._asked}: too slow: {self._received} bytes in {self.waited:.0f} s")
        return chunk

    async def _resume(self) -> None:
        before = self._response
        self.close()
        try:
            self._response = await self._ask()
        except NotFound as error:
            raise UpstreamError(str(error)) from None
        etags = {response.headers.get(hdrs.ETAG) for response in (before, self._response) if response is not None}
        if len(etags - {None}) > 1:
            raise UpstreamError(f"{self._asked}: changed while it was being fetched")

    async def _ask(self) -> aiohttp.ClientResponse:
        headers: dict[str, str] = {hdrs.ACCEPT_ENCODING: "identity"}
        if self._position:
            headers[hdrs.RANGE] = f"bytes={self._position}-"
        wanted = frozenset((200, 206) if self._position else (200,))
        started = time.monotonic()
        response = await self._transport.open(Question(self._url, headers, wanted))
        self.waited += time.monotonic() - started
        try:
            self._accept(response)
        except BaseException:
            response.release()
            raise
        return response

    def _accept(self, response: aiohttp.ClientResponse) -> None:
        """Take note of which bytes a response brings; raise for one that brings others than were asked for."""
        if response.status in (404, 410):
            raise NotFound(f"{self._asked}: answered {response.status}")
        require_identity(response.headers, self._asked)
        if response.status == 200:
            size, self._skip = response.content_length, self._position
        else:
            size, self._skip = self._size_of_rest(response), 0
        if None not in (size, self._size) and size != self._size:
            raise UpstreamError(f"{self._asked}: changed its size while it was being fetched")
        if size is not None and size < self._position:
            raise UpstreamError(f"{self._asked}: has {size} bytes, and was asked for those from {self._position} on")
        self._size = size if size is not None else self._size

    def _size_of_rest(self, response: aiohttp.ClientResponse) -> int:
        sent = parse_content_range(response.headers.get(hdrs.CONTENT_RANGE))
        if sent is None or not sent.answers(self._position, sent.size):
            raise UpstreamError(f"{self._asked}: sent another range than was asked for")
        return sent.size
