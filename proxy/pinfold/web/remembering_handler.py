"""aiohttp's protocol with a memory: what was answered a moment ago is answered again, without it where that is safe.

Everything that is not exactly one whole request, and every doubt, is aiohttp's alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from pinfold.domain.errors import PinfoldError
from pinfold.web.answers import Answer, Asked, Repetition
from pinfold.web.request_memory import Begun, RequestMemory

LONGEST_REQUEST: Final = 4096
"""Bytes; whoever sends more is not in a hurry."""
_END: Final = b"\r\n\r\n"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Received:
    """A request that aiohttp read out of what came at once, all of it."""

    message: RawRequestMessage
    asked: Asked
    is_renewal: bool
    """Whether it is to be answered anew, although others are given what stands."""
    begun: Begun | None = None
    """Since when it is worked out."""


class RememberingHandler(web.RequestHandler):
    """aiohttp's protocol, which looks a request up before it is parsed.

    It does so only on connections whose requests came, so far, each in one piece and without a body; and it answers
    before aiohttp reads it only where every request before it was answered. A request that has to wait for its turn is
    looked up again then.
    """

    __slots__ = ("_address", "_answered", "_in_whole_requests", "_latest", "_memory")

    def __init__(self, manager: web.Server, memory: RequestMemory, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._memory = memory
        self._address = ""
        self._answered = 0
        self._in_whole_requests = True
        self._latest: Received | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve a peer."""
        super().connection_made(transport)
        peer = self.peername
        self._address = str(peer[0]) if isinstance(peer, tuple) else str(peer)

    def data_received(self, data: bytes) -> None:
        """Answer from memory, or pass on what came."""
        if not self._in_whole_requests:
            self._latest = None
            super().data_received(data)
            return
        asked, now = (self._address, data), time.monotonic()
        standing = self._memory.get(asked, now)
        is_renewal = standing is not None and standing.claim_renewal(now)
        if isinstance(standing, Answer) and not is_renewal and self._give(standing, now):
            return
        already = len(self._messages)
        super().data_received(data)
        message = self._only_message(data, already)
        self._in_whole_requests = message is not None
        self._latest = None
        if message is not None and _may_be_kept(message, data):
            # aiofastnet reads into a quarter of a megabyte and gives back what is left of it. What came keeps its place
            # there, and between requests that are remembered the heap would be full of holes.
            copy = bytes(memoryview(data))
            self._latest = Received(message, (self._address, copy), is_renewal)

    async def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: Handler
    ) -> tuple[web.StreamResponse, bool]:
        """Have a request answered: by what answered the same one a moment ago, if that still can."""
        received = self._as_received(request)
        if received is None:
            response, is_lost = await super()._handle_request(request, start_time, request_handler)
        else:
            answer = partial(self._answer, received, otherwise=request_handler)
            try:
                response, is_lost = await super()._handle_request(request, start_time, answer)
            finally:
                self._memory.end(received.asked, request)
        if response.keep_alive and not is_lost:
            self._answered += 1
        return response, is_lost

    async def _answer(self, received: Received, request: web.BaseRequest, otherwise: Handler) -> web.StreamResponse:
        # It may have waited long for the end of the request before it: that is for the client to say.
        began = time.monotonic()
        standing = await self._memory.find(received.asked) if not received.is_renewal else None
        if standing is not None and await self._answer_again(standing, began):
            return _Sent()
        received.begun = self._memory.begin(received.asked, request)
        return await otherwise(request)

    async def _answer_again(self, standing: Answer | Repetition, began: float) -> bool:
        """Answer as before; False where nothing was sent, so that whoever works it out anew explains what is wrong."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if isinstance(standing, Answer):
            standing.send(transport)
            standing.observed(time.monotonic() - began, self._address)
            with suppress(ConnectionError):
                await self._drain_helper()
            return True
        try:
            await standing.again(transport, standing.head.at(int(time.time())))
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, PinfoldError) and not transport.is_closing():
                return False
            standing.broken_off(time.monotonic() - began, self._address)
            if not isinstance(error, ConnectionError | TimeoutError):
                raise
        else:
            standing.observed(time.monotonic() - began, self._address)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, and remember it, unless it was sent from memory."""
        sent, is_lost = await super().finish_response(request, resp, start_time)
        received = self._as_received(request)
        if received is not None and received.begun is not None and not is_lost and sent.keep_alive:
            self._memory.keep(received.asked, received.begun, request, sent)
        return sent, is_lost

    def _as_received(self, request: web.BaseRequest) -> Received | None:
        """Return a request as it came, unless something came since."""
        latest = self._latest
        return latest if latest is not None and latest.message is request._message else None  # noqa: SLF001 - told by nothing else

    def _give(self, answer: Answer, began: float) -> bool:
        """Send an answer and account for it as aiohttp would; False where the connection does not take it now."""
        transport, manager = self.transport, self._manager
        if self._request_count != self._answered or self._paused or self._close or self._force_close:
            return False
        if transport is None or manager is None or transport.is_closing():
            return False
        self._request_count += 1
        self._answered += 1
        manager.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        answer.send(transport)
        answer.observed(time.monotonic() - began, self._address)
        return True

    def _only_message(self, data: bytes, already: int) -> RawRequestMessage | None:
        """Return the request that what came was read as; None unless it is exactly one, with no byte left over."""
        if len(self._messages) != already + 1 or self._upgraded or data.find(_END) != len(data) - len(_END):
            return None
        message, payload = self._messages[-1]
        return message if payload is EMPTY_PAYLOAD and isinstance(message, RawRequestMessage) else None


class _Sent(web.StreamResponse):
    """An answer that is with the client already."""

    keep_alive = True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing: the head was sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the body was sent."""


def _may_be_kept(message: RawRequestMessage, data: bytes) -> bool:
    """Tell whether a request is of the kind that is answered at once, with one response and nothing before it."""
    is_simple = message.method == "GET" and message.version == HttpVersion11 and hdrs.EXPECT not in message.headers
    return is_simple and len(data) <= LONGEST_REQUEST
