"""Answers that are given again, and until when: as long as nothing of what they rest on is seen to have changed."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final, NamedTuple

from pinfold.usecases.present import AHEAD_SECONDS
from pinfold.web.payload import Joined, Lent, Payload, Pieces

OVERHEAD: Final = 2048
"""Bytes that an answer takes up beside its request, its head and its body, roughly."""
COPIED: Final = 40 * 1024
"""Bytes up to which the kernel copies an answer in one piece sooner than it sends one that it need not copy."""
LENT: Final = 512 * 1024
"""Bytes up to which not to copy is faster: of more, it sends each part only once the client has read another."""
SWEPT: Final = 16
"""Answers that are let go, of those that can stand no more, for each that is remembered: nobody waits for all."""

Asked = tuple[str | None, bytes]
"""What an answer is remembered by: the peer's address, or None where anybody is answered the same, and the request."""
Observed = Callable[[float, str | None], None]
"""What counts and logs a request, given the seconds that it took, and the peer's address."""


_DATE_BYTES: Final = len(formatdate(0, usegmt=True))


class Head(NamedTuple):
    """The head of an answer, of whichever second it is given in."""

    before: bytes
    """Its `Date`."""
    behind: bytes

    def at(self, second: int) -> bytes:
        """Return the head with a `Date`, in seconds since 1970."""
        return b"".join((self.before, formatdate(second, usegmt=True).encode(), self.behind))

    @property
    def size(self) -> int:
        """Its bytes, in any second."""
        return len(self.before) + _DATE_BYTES + len(self.behind)


@dataclass(slots=True)
class Standing:
    """Something that was answered, and until when it would be answered again."""

    head: Head
    observed: Observed
    until: float
    """On the monotonic clock: until then it stands by all that is known now."""
    renew_from: float = field(init=False)
    """Before then, nobody need renew it."""

    def __post_init__(self) -> None:
        self.renew_from = self.until - AHEAD_SECONDS

    def claim_renewal(self, now: float) -> bool:
        """Tell whether whoever asks now is to renew this; only one of all who ask is."""
        if now < self.renew_from:
            return False
        self.renew_from = self.until
        return True


@dataclass(slots=True)
class Repetition(Standing):
    """The head of an answer, and what does the rest once more."""

    again: Callable[[asyncio.Transport, bytes], Awaitable[None]]
    broken_off: Observed


@dataclass(slots=True)
class Answer(Standing):
    """An answer with its body, which stands for as long as nothing changes that it rests on."""

    asked: Asked
    body: bytes
    revision: int
    """The present one when it began to be worked out."""
    since: float
    """When that was, by the wall clock; before then it would have been something else."""
    ends: float
    """When time alone changes it, by the wall clock."""
    _second: int = field(default_factory=lambda: int(time.time()))
    """That in which it was given last."""
    _payload: Payload | None = None
    """What it is sent from for the rest of that second, where it was given more than once in it."""

    def prolong(self, until: float, now: float) -> None:
        """Let it stand, and be renewed by nobody, until a moment of the monotonic clock, unless time ends it sooner."""
        wall = time.time()
        until = min(until, now + self.ends - wall)
        if until > now and wall >= self.since:
            self.until = self.renew_from = max(self.until, until)

    def send(self, transport: asyncio.Transport) -> None:
        """Send it as of now."""
        second = int(time.time())
        if second != self._second:
            self._second, self._payload = second, None
            Pieces(self.head.at(second), self.body).send(transport)
            return
        if self._payload is None:
            self._payload = _payload(self.head.at(second), self.body)
            asyncio.get_running_loop().call_later(1, self._put_away, self._payload)
        self._payload.send(transport)

    def _put_away(self, payload: Payload) -> None:
        """Hold on to no file in memory for what is not asked for any more."""
        if self._payload is payload:
            self._payload = None


class Answers:
    """Keeps answers within a budget of bytes; a body that several of them have in common counts once."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._weight = 0
        self._by_request: OrderedDict[Asked, Answer] = OrderedDict()
        self._having: Counter[int] = Counter()
        """How many answers have a body, by its identity."""

    def get(self, asked: Asked) -> Answer | None:
        """Return an answer, or None."""
        return self._by_request.get(asked)

    def use(self, answer: Answer) -> None:
        """Count an answer that is kept as used."""
        self._by_request.move_to_end(answer.asked)

    def put(self, answer: Answer) -> None:
        """Keep an answer; the least recently used ones make room for it."""
        self.drop(answer.asked)
        self._by_request[answer.asked] = answer
        self._weight += _own_weight(answer)
        self._having[id(answer.body)] += 1
        if self._having[id(answer.body)] == 1:
            self._weight += len(answer.body)
        while self._weight > self._budget:
            self.drop(next(iter(self._by_request)))

    def drop(self, asked: Asked) -> None:
        """Forget an answer, if there is one."""
        answer = self._by_request.pop(asked, None)
        if answer is None:
            return
        self._weight -= _own_weight(answer)
        self._having[id(answer.body)] -= 1
        if not self._having[id(answer.body)]:
            del self._having[id(answer.body)]
            self._weight -= len(answer.body)

    def let_go(self, revision: int, now: float) -> None:
        """Let some of those go that a change has ended for good."""
        for _ in range(SWEPT):
            asked, oldest = next(iter(self._by_request.items()), (None, None))
            if asked is None or oldest is None or oldest.revision == revision or now < oldest.until:
                return
            self.drop(asked)


def _own_weight(answer: Answer) -> int:
    return len(answer.asked[1]) + len(answer.head.before) + len(answer.head.behind) + OVERHEAD


def _payload(head: bytes, body: bytes) -> Payload:
    # Only what is asked for again and again is worth a copy; but then from the first: a connection that begins with
    # long answers which are copied is taken for a slow one by the kernel (BBR), and held back for the rest of its time.
    with suppress(OSError):
        if len(body) <= COPIED:
            return Joined((head, body))
        if len(body) <= LENT:
            return Lent((head, body))
    return Pieces(head, body)
