"""Answers that are given again: the same bytes, but for the `Date`, to the same request.

That comes from the same address, or from any, where the answer is nobody's in particular. Most of what a warm page
costs is to parse its request and to build its answer anew. What aiohttp has parsed and answered once is therefore
answered again without it, for as long as it would answer the same: while nothing changes that answers rest on, and time
alone does not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from pinfold.usecases.lru import Lru
from pinfold.usecases.present import AHEAD_SECONDS, SOON, TRUSTED_SECONDS, Present
from pinfold.web.access import credential_of
from pinfold.web.actor import PRINCIPAL
from pinfold.web.answers import Answer, Answers, Asked, Head, Observed, Repetition
from pinfold.web.staying_local import FORWARDED

STANDS_UNTIL: Final = web.RequestKey("stands_until", datetime)
"""On a request that would be answered the same until then."""
FOR_ANYBODY: Final = web.RequestKey("for_anybody", bool)
"""On a request that would be answered the same whatever address it came from."""
OBSERVED: Final = web.RequestKey[Observed]("observed")
"""What counts and logs a request like this one."""
BROKEN_OFF: Final = web.RequestKey[Observed]("broken_off")
"""What counts and logs a request like this one that did not come to its end."""
AWAITED: Final = web.RequestKey[asyncio.Future[None]]("awaited")
"""On a request for whose answer those wait who ask the same."""
AGAIN: Final = web.RequestKey[Callable[[asyncio.Transport, bytes], Awaitable[None]]]("again")
"""What answers a request like this one once more, given the connection and the head of the answer that it had.

Where it raises a PinfoldError, it sent nothing; where it raises anything else, it has ended the connection.
"""

HOLDS: Final = TRUSTED_SECONDS
"""Seconds for which an answer stands whatever changes: as long as stores trust what they read.

So a change made by another process holds within a second, and one after the other does not have all worked out anew.
"""
MOST_REPEATED: Final = 128
"""Downloads that are remembered: each has its file open, of which a process may have far fewer than memory holds.

They stand no longer than a moment, since each holds on to its whole project, judged.
"""


def may_be_remembered(request: web.Request, until: datetime) -> None:
    """Say that a request is answered the same until then; where its token expires sooner, no longer than that.

    Whoever shows no credential is nobody in particular: only one that fails is counted against an address, and the log
    goes by the peer's, unless a front tells another one.
    """
    token = request[PRINCIPAL].token
    expires_at = token.expires_at if token is not None else None
    request[STANDS_UNTIL] = min(until, expires_at) if expires_at is not None else until
    request[FOR_ANYBODY] = credential_of(request) is None and not any(name in request.headers for name in FORWARDED)


def stands_only_for_now(request: web.Request) -> None:
    """Say that an answer rests on more than is looked at, so that it is to be worked out again soon."""
    if (until := request.get(STANDS_UNTIL)) is not None:
        request[STANDS_UNTIL] = min(until, datetime.now(UTC) + SOON)


async def wait_no_longer(request: web.Request, _: web.StreamResponse) -> None:
    """As an answer begins, let those go on who wait for it: a client may take hours to read it."""
    _let_go_on(request)


class Begun(NamedTuple):
    """When a request began to be worked out."""

    at: float
    """On the monotonic clock."""
    revision: int
    """The present one, before anything was looked up for the answer."""


class RequestMemory:
    """Remembers answers within a budget of bytes."""

    def __init__(self, budget: int, present: Present) -> None:
        self._present = present
        self._answers = Answers(budget)
        self._repetitions: Lru[Asked, Repetition] = Lru(MOST_REPEATED)
        self._under_way: dict[Asked, asyncio.Future[None]] = {}

    def get(self, asked: Asked, now: float) -> Answer | Repetition | None:
        """Return the answer that stands."""
        standing = self._kept(asked)
        if standing is None:
            return None
        if now >= standing.until - AHEAD_SECONDS and isinstance(standing, Answer):
            self._answers.use(standing)
            standing.prolong(self._present.stands_until(standing.revision), now)
        return standing if now < standing.until else None

    async def find(self, asked: Asked) -> Answer | Repetition | None:
        """Return the answer that stands, or that will once another request like this one was answered."""
        began = time.monotonic()
        answer, kept = self.get(asked, began), self._kept(asked)
        if answer is None and isinstance(kept, Answer) and kept.revision == self._present.revision:
            # Nobody asked for anything for so long that nobody has looked whether it still stands. What is seen now is
            # current for whoever asked already, however many there are to be answered first.
            await self._present.look()
            answer = self.get(asked, began)
        if answer is None and (other := self._under_way.get(asked)) is not None and not other.done():
            # What takes longer may not be remembered.
            await asyncio.wait((other,), timeout=HOLDS)
            answer = self.get(asked, time.monotonic())
        return answer

    def begin(self, asked: Asked, request: web.BaseRequest) -> Begun:
        """Let others who ask the same wait for the answer to this request, unless they wait for another one's."""
        if asked not in self._under_way:
            request[AWAITED] = self._under_way[asked] = asyncio.get_running_loop().create_future()
        return Begun(time.monotonic(), self._present.revision)

    def end(self, asked: Asked, request: web.BaseRequest) -> None:
        """Let nobody wait any more for the answer to this request."""
        if AWAITED in request:
            _let_go_on(request)
            del self._under_way[asked]

    def keep(self, asked: Asked, begun: Begun, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Remember what a request was answered with, where it is known how long that stands."""
        kept, now = self._kept(asked), time.monotonic()
        stands_until, observed = request.get(STANDS_UNTIL), request.get(OBSERVED)
        again, broken_off = request.get(AGAIN), request.get(BROKEN_OFF)
        head, body = _head_of(response), _body_of(response) if again is None else b""
        if stands_until is None or observed is None or head is None or body is None:
            # It may be refused by now: then nobody is given any more what stood.
            self._answers.drop(_by_anybody(asked))
            self._answers.drop(asked)
            self._repetitions.drop(asked)
            return
        if kept is not None and now < kept.until - AHEAD_SECONDS:
            # It was asked for by many at once: one of the others was answered first, or even renewed that meanwhile.
            return
        self._let_go(now)
        to_wall, ends = time.time() - time.monotonic(), stands_until.timestamp()
        until = min(begun.at + HOLDS, ends - to_wall)
        if until <= now or request.writer.output_size != head.size + len(body):
            return
        if again is not None and broken_off is not None:
            self._repetitions.put(asked, Repetition(head, observed, until, again, broken_off), 1)
        else:
            by = _by_anybody(asked) if request.get(FOR_ANYBODY) else asked
            self._answers.put(Answer(head, observed, until, by, body, begun.revision, begun.at + to_wall, ends))

    def _let_go(self, now: float) -> None:
        self._answers.let_go(self._present.revision, now)
        while (oldest := self._repetitions.oldest()) is not None and oldest[1].until <= now:
            self._repetitions.drop(oldest[0])

    def _kept(self, asked: Asked) -> Answer | Repetition | None:
        answers = self._answers
        return answers.get(_by_anybody(asked)) or answers.get(asked) or self._repetitions.get(asked)


def _by_anybody(asked: Asked) -> Asked:
    return None, asked[1]


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


def _head_of(response: web.StreamResponse) -> Head | None:
    date = f"\r\n{hdrs.DATE}: {response.headers.get(hdrs.DATE)}\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    before, found, behind = f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}\r\n".partition(date)
    at = len(f"\r\n{hdrs.DATE}: ")
    return Head(f"{before}{date[:at]}".encode(), f"\r\n{behind}".encode()) if found else None
