"""Answers that are given again: the same bytes to the same request from the same address, a moment later.

Most of what a warm page costs is to parse its request and to build its answer anew. What aiohttp has parsed and
answered once is therefore answered again without it, for as long as it would answer the same, but for the `Date`: for
no longer than what the decisions rest on counts as current anyway.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web

from pinfold.usecases.lru import Lru
from pinfold.web.actor import PRINCIPAL
from pinfold.web.payload import Lent, Payload, Pieces

STANDS_UNTIL: Final = web.RequestKey("stands_until", datetime)
"""On a request that would be answered the same until then."""
OBSERVED: Final = web.RequestKey[Callable[[float], None]]("observed")
"""What counts and logs a request like this one, given the seconds that it took."""
BROKEN_OFF: Final = web.RequestKey[Callable[[float], None]]("broken_off")
"""What counts and logs a request like this one that did not come to its end."""
AWAITED: Final = web.RequestKey[asyncio.Future[None]]("awaited")
"""On a request for whose answer those wait who ask the same."""
AGAIN: Final = web.RequestKey[Callable[[asyncio.Transport, bytes], Awaitable[None]]]("again")
"""What answers a request like this one once more, given the connection and the head of the answer that it had.

Where it raises a PinfoldError, it sent nothing; where it raises anything else, it has ended the connection.
"""

HOLDS: Final = 0.25
"""Seconds: as long as stores trust what they read, so that a change made by another process holds within a second."""
AHEAD: Final = 0.125
"""Seconds before its end in which one request renews what all the others are still answered with."""
OVERHEAD: Final = 1024
"""Bytes that an answer takes up beside its own, roughly."""
JOINED: Final = 16 * 1024
"""Bytes up to which an answer leaves fastest in one piece, for a copy of its body behind its head."""
LENT: Final = 512 * 1024
"""Bytes up to which not to copy is faster: of more, it sends each part only once the client has read another."""

Asked = tuple[str, bytes]
"""What an answer is remembered by: the peer's address, of which nothing may be lent to another, and the request."""


def may_be_remembered(request: web.Request, until: datetime) -> None:
    """Say that a request is answered the same until then; where its token expires sooner, no longer than that."""
    token = request[PRINCIPAL].token
    expires_at = token.expires_at if token is not None else None
    request[STANDS_UNTIL] = min(until, expires_at) if expires_at is not None else until


async def wait_no_longer(request: web.Request, _: web.StreamResponse) -> None:
    """As an answer begins, let those go on who wait for it: a client may take hours to read it."""
    _let_go_on(request)


@dataclass(slots=True)
class Standing:
    """Something that was answered, and until when it would be answered again."""

    until: float
    """On the monotonic clock."""
    observed: Callable[[float], None]
    settled_until: float = field(init=False)
    """Before then, nobody need renew it."""

    def __post_init__(self) -> None:
        self.settled_until = self.until - AHEAD

    def claim_renewal(self, now: float) -> bool:
        """Tell whether whoever asks now is to renew this; only one of all who ask is."""
        if now < self.settled_until:
            return False
        self.settled_until = self.until
        return True


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
        self._under_way: dict[Asked, asyncio.Future[None]] = {}
        self._waited_for: set[Asked] = set()

    def get(self, asked: Asked, now: float) -> Answer | Repetition | None:
        """Return the answer that stands."""
        answer = self._answers.peek(asked)
        return answer if answer is not None and now < answer.until else None

    async def find(self, asked: Asked) -> Answer | Repetition | None:
        """Return the answer that stands, or that will once another request like this one was answered."""
        answer = self.get(asked, time.monotonic())
        if answer is None and (other := self._under_way.get(asked)) is not None and not other.done():
            self._waited_for.add(asked)
            # What takes longer is not remembered.
            await asyncio.wait((other,), timeout=HOLDS)
            answer = self.get(asked, time.monotonic())
        return answer

    def begin(self, asked: Asked, request: web.BaseRequest) -> None:
        """Let others who ask the same wait for the answer to this request, unless they wait for another one's."""
        if asked not in self._under_way:
            request[AWAITED] = self._under_way[asked] = asyncio.get_running_loop().create_future()

    def end(self, asked: Asked, request: web.BaseRequest) -> None:
        """Let nobody wait any more for the answer to this request."""
        if AWAITED in request:
            _let_go_on(request)
            del self._under_way[asked]
            self._waited_for.discard(asked)

    def keep(self, asked: Asked, began: float, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remember what a request was answered with, where it is known how long that stands.

        `began` is when it began to be handled, on the monotonic clock: what is behind the answer was looked up later.
        """
        standing, now = self._answers.peek(asked), time.monotonic()
        stands_until, observed = request.get(STANDS_UNTIL), request.get(OBSERVED)
        again, broken_off = request.get(AGAIN), request.get(BROKEN_OFF)
        body = _body_of(response) if again is None else b""
        if stands_until is None or observed is None or body is None:
            # It may be refused by now: then nobody is given any more what stood.
            self._answers.drop(asked)
            return
        if standing is not None and now < standing.until - AHEAD:
            # It was asked for by many at once: one of the others was answered first, or even renewed that meanwhile.
            return
        self._let_go(now)
        to_wall = time.time() - time.monotonic()
        until = min(began + to_wall + HOLDS, stands_until.timestamp()) - to_wall
        if until <= time.monotonic():
            return
        head = _head_of(response)
        if request.writer.output_size != len(head) + len(body):
            return
        is_wanted = standing is not None or asked in self._waited_for
        answer: Answer | Repetition
        if again is not None and broken_off is not None:
            answer = Repetition(until, observed, head, again, broken_off)
        else:
            answer = Answer(until, observed, _payload(head, body, is_wanted=is_wanted))
        self._answers.put(asked, answer, len(asked[1]) + len(head) + len(body) + OVERHEAD)

    def _let_go(self, now: float) -> None:
        # What repeats a download has its file open, of which a process may have far fewer than the budget holds.
        while (oldest := self._answers.oldest()) is not None and oldest[1].until <= now:
            self._answers.drop(oldest[0])


def _let_go_on(request: web.BaseRequest) -> None:
    awaited = request.get(AWAITED)
    if awaited is not None and not awaited.done():
        awaited.set_result(None)


def _body_of(response: web.StreamResponse) -> bytes | None:
    """Return the body of a response that was sent as it is; None where that cannot be told."""
    if not isinstance(response, web.Response) or response.status not in (200, 304):
        return None
    if response.chunked or response.compression:
        return None
    body = response.body or b""
    return body if isinstance(body, bytes) else None


def _payload(head: bytes, body: bytes, *, is_wanted: bool) -> Payload:
    # Only what is asked for again and again is worth a copy; but then from the first: a connection that begins with
    # long answers which are copied is taken for a slow one by the kernel (BBR), and held back for the rest of its time.
    if is_wanted and len(body) <= JOINED:
        return Pieces(head + body)
    if is_wanted and len(body) <= LENT:
        with suppress(OSError):
            return Lent((head, body))
    return Pieces(head, body)


def _head_of(response: web.StreamResponse) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}\r\n".encode()
