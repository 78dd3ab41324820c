"""Answers that are given again: the same bytes to the same request from the same address, a moment later.

Most of what a warm page costs is to parse its request and to build its answer anew. What aiohttp has parsed and
answered once is therefore answered again without it, for as long as it would answer the same, but for the `Date`: for
no longer than what the decisions rest on counts as current anyway. Everything else, and every doubt, goes to aiohttp.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from pinfold.domain.errors import PinfoldError
from pinfold.usecases.lru import Lru
from pinfold.web.actor import PRINCIPAL
from pinfold.web.payload import Lent, Payload, Pieces

STANDS_UNTIL: Final = web.RequestKey("stands_until", datetime)
"""On a request that would be answered the same until then."""
OBSERVED: Final = web.RequestKey[Callable[[float], None]]("observed")
"""What counts and logs a request like this one, given the seconds that it took."""
BROKEN_OFF: Final = web.RequestKey[Callable[[float], None]]("broken_off")
"""What counts and logs a request like this one that did not come to its end."""
AGAIN: Final = web.RequestKey[Callable[[asyncio.Transport, bytes], Awaitable[None]]]("again")
"""What answers a request like this one once more, given the connection and the head of the answer that it had.

Where it raises a PinfoldError, it sent nothing; where it raises anything else, it has ended the connection.
"""

HOLDS: Final = 0.25
"""Seconds: as long as stores trust what they read, so that a change made by another process holds within a second."""
AHEAD: Final = 0.125
"""Seconds before its end in which one request renews what all the others are still answered with."""
LONGEST_REQUEST: Final = 4096
"""Bytes; whoever sends more is not in a hurry."""
OVERHEAD: Final = 1024
"""Bytes that an answer takes up beside its own, roughly."""
JOINED: Final = 16 * 1024
"""Bytes up to which an answer leaves faster in one piece than in two, for a copy of its body behind its head."""
COPIED: Final = 64 * 1024
"""Bytes up to which the kernel copies an answer as fast as it sends one that it need not copy."""
LENT: Final = 512 * 1024
"""Bytes up to which not to copy is faster: of more, it sends each part only once the client has read another."""
_END: Final = b"\r\n\r\n"


def may_be_remembered(request: web.Request, until: datetime) -> None:
    """Say that a request is answered the same until then; where its token expires sooner, no longer than that."""
    token = request[PRINCIPAL].token
    expires_at = token.expires_at if token is not None else None
    request[STANDS_UNTIL] = min(until, expires_at) if expires_at is not None else until


class Asked(NamedTuple):
    """What an answer is remembered by."""

    address: str
    """Of the peer: nothing that holds for one address may be lent to another."""
    request: bytes


@dataclass(slots=True)
class Standing:
    """Something that was answered, and until when it would be answered again."""

    until: float
    """On the monotonic clock."""
    observed: Callable[[float], None]
    is_being_renewed: bool = field(default=False, init=False)


@dataclass(slots=True)
class Answer(Standing):
    """An answer as it was sent."""

    payload: Payload


@dataclass(slots=True)
class Repetition(Standing):
    """The head of an answer as it was sent, and what does the rest once more."""

    head: bytes
    again: Callable[[asyncio.Transport, bytes], Awaitable[None]]
    broken_off: Callable[[float], None]


class RequestMemory:
    """Remembers answers within a budget of bytes."""

    def __init__(self, budget: int) -> None:
        self._answers: Lru[Asked, Answer | Repetition] = Lru(budget)

    def get(self, asked: Asked, now: float) -> Answer | Repetition | None:
        """Return the answer that stands; shortly before its end, one is sent to renew it, so that not all have to."""
        answer = self._answers.get(asked)
        if answer is None or now >= answer.until:
            return None
        if now >= answer.until - AHEAD and not answer.is_being_renewed:
            answer.is_being_renewed = True
            return None
        return answer

    def keep(self, asked: Asked, began: float, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remember what a request was answered with, where it is known how long that stands.

        `began` is when the request came, on the monotonic clock: what is behind the answer was looked up later.
        """
        standing, now = self._answers.get(asked), time.monotonic()
        if standing is not None and now < standing.until - AHEAD:
            # It was asked for by many at once: one of the others was answered first, or even renewed that meanwhile.
            return
        self._let_go(now)
        stands_until, observed = request.get(STANDS_UNTIL), request.get(OBSERVED)
        again, broken_off = request.get(AGAIN), request.get(BROKEN_OFF)
        body = _body_of(response) if again is None else b""
        if stands_until is None or observed is None or body is None:
            return
        to_wall = time.time() - time.monotonic()
        came = began + to_wall
        until = min(came + HOLDS, stands_until.timestamp()) - to_wall
        if until <= time.monotonic():
            return
        head = _head_of(response)
        if request.writer.output_size != len(head) + len(body):
            return
        answer: Answer | Repetition
        if again is not None and broken_off is not None:
            answer = Repetition(until, observed, head, again, broken_off)
        else:
            answer = Answer(until, observed, _payload(head, body, is_wanted=standing is not None))
        self._answers.put(asked, answer, len(asked.request) + len(head) + len(body) + OVERHEAD)

    def _let_go(self, now: float) -> None:
        # What repeats a download has its file open, of which a process may have far fewer than the budget holds.
        while (oldest := self._answers.oldest()) is not None and oldest[1].until <= now:
            self._answers.drop(oldest[0])


class Received(NamedTuple):
    """A request that aiohttp read out of what came at once, all of it."""

    message: RawRequestMessage
    asked: Asked
    at: float
    """On the monotonic clock."""
    repetition: Repetition | None
    """What can answer it."""


class RememberingHandler(web.RequestHandler):
    """aiohttp's protocol, which looks a request up before it is parsed.

    It does so only on connections whose requests came, so far, each in one piece and without a body; and it answers
    before aiohttp reads it only where aiohttp would begin with it at once: while nothing is under way.
    """

    __slots__ = ("_address", "_in_whole_requests", "_latest", "_memory")

    def __init__(self, manager: web.Server, memory: RequestMemory, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._memory = memory
        self._address: str | None = None
        self._in_whole_requests = True
        self._latest: Received | None = None

    def data_received(self, data: bytes) -> None:
        """Answer from memory, or pass on what came."""
        self._latest = None
        if not self._in_whole_requests:
            super().data_received(data)
            return
        asked, at = Asked(self._peer(), data), time.monotonic()
        answer = self._memory.get(asked, at)
        if isinstance(answer, Answer) and self._is_idle() and self._give(answer):
            answer.observed(time.monotonic() - at)
            return
        queued = len(self._messages)
        super().data_received(data)
        message = self._only_message(data, queued)
        self._in_whole_requests = message is not None
        if message is not None and _may_be_kept(message, data):
            # aiofastnet reads into a quarter of a megabyte and gives back what is left of it. What came keeps its place
            # there, and between requests that are remembered the heap would be full of holes.
            asked = asked._replace(request=bytes(memoryview(data)))
            self._latest = Received(message, asked, at, answer if isinstance(answer, Repetition) else None)

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        """Have a request answered: by what answered the same one a moment ago, if that still can."""
        received = self._as_received(request)
        repetition = received.repetition if received is not None else None
        # It may have waited long for the end of the request before it: that is for the client to say.
        if received is not None and repetition is not None and time.monotonic() < repetition.until:
            request_handler = partial(self._repeat, repetition, received.at, otherwise=request_handler)
        return await super()._handle_request(request, start_time, request_handler)

    async def _repeat(
        self,
        repetition: Repetition,
        began: float,
        request: web.BaseRequest,
        otherwise: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        transport = self.transport
        if transport is None or transport.is_closing():
            return await otherwise(request)
        try:
            await repetition.again(transport, repetition.head)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, PinfoldError) and not transport.is_closing():
                # Nothing was sent: whoever answers it as if it were the first explains what is wrong.
                return await otherwise(request)
            repetition.broken_off(time.monotonic() - began)
            if not isinstance(error, ConnectionError | TimeoutError):
                raise
        else:
            repetition.observed(time.monotonic() - began)
        return _Sent()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, and remember it."""
        sent, lost = await super().finish_response(request, resp, start_time)
        received = self._as_received(request)
        if received is not None and not lost and sent.keep_alive:
            self._memory.keep(received.asked, received.at, request, sent)
        return sent, lost

    def _as_received(self, request: web.BaseRequest) -> Received | None:
        """Return a request as it came, unless something came since."""
        latest = self._latest
        return latest if latest is not None and latest.message is request._message else None  # noqa: SLF001 - told by nothing else

    def _is_idle(self) -> bool:
        """Tell whether aiohttp waits for a request, with nothing left to be parsed, answered or sent."""
        if self._close or self._force_close or self._messages or self._keepalive_handle is None:
            return False
        waiter = self._waiter
        # Before it first waits, nothing was ever under way.
        return not waiter.done() if waiter is not None else self._request_count == 0

    def _only_message(self, data: bytes, queued: int) -> RawRequestMessage | None:
        """Return the request that what came was read as; None unless it is exactly one, with no byte left over."""
        if len(self._messages) != queued + 1 or self._upgraded or data.find(_END) != len(data) - len(_END):
            return None
        message, payload = self._messages[-1]
        return message if payload is EMPTY_PAYLOAD and isinstance(message, RawRequestMessage) else None

    def _give(self, answer: Answer) -> bool:
        """Send an answer and account for it as aiohttp would; False where the connection does not take it now."""
        transport, manager = self.transport, self._manager
        if transport is None or manager is None or transport.is_closing() or self._paused:
            return False
        answer.payload.send(transport)
        self._request_count += 1
        manager.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _peer(self) -> str:
        if self._address is None:
            peer = self.peername
            self._address = str(peer[0]) if isinstance(peer, tuple) else str(peer)
        return self._address


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


def _body_of(response: web.StreamResponse) -> bytes | None:
    """Return the body of a response that was sent as it is; None where that cannot be told."""
    if not isinstance(response, web.Response) or response.status not in (200, 304):
        return None
    if response.chunked or response.compression:
        return None
    body = response.body or b""
    return body if isinstance(body, bytes) else None


def _payload(head: bytes, body: bytes, *, is_wanted: bool) -> Payload:
    # Only what is asked for again and again is worth a copy.
    if is_wanted and len(body) <= JOINED:
        return Pieces(head + body)
    if is_wanted and COPIED < len(body) <= LENT:
        with suppress(OSError):
            return Lent((head, body))
    return Pieces(head, body)


def _head_of(response: web.StreamResponse) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}\r\n".encode()
