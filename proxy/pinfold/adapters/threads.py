"""A few threads that do what would block an event loop.

An executor's futures are made for threads that wait for each other: to have one told of by another, which an event
loop can wait for, takes it twice the CPU, of which a first look at a wheel pays a dozen.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar
from weakref import finalize

T = TypeVar("T")

log = logging.getLogger(__name__)

_Errands = SimpleQueue[Callable[[], object] | None]


class Closed(Exception):
    """Threads take nothing more: they were closed, or the system lets none begin."""


class Threads:
    """Threads that begin as they are needed, and end once they are closed, or nobody knows of them any more.

    For one event loop.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._errands: _Errands = SimpleQueue()
        self._under_way = 0
        """Errands, those included that are done and not taken off yet."""
        self._done: deque[None] = deque()
        self._threads: list[Thread] = []
        self._dismiss = finalize(self, _dismiss, self._errands, most)

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have work done, and return what becomes of it; whoever stops waiting leaves it to be done all the same.

        Raises Closed.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.begin(lambda: _run(work, answer))
        return answer

    def begin(self, work: Callable[[], object]) -> None:
        """Have work done that nobody waits for; raises Closed."""
        if not self._dismiss.alive:
            raise Closed("it was closed")
        while self._done:
            self._done.pop()
            self._under_way -= 1
        if len(self._threads) < min(self._under_way + 1, self._most):
            self._begin_thread()
        self._errands.put(work)
        self._under_way += 1

    def _begin_thread(self) -> None:
        # They know of what is to be done, but not of this object, which would never be forgotten otherwise.
        arguments = (self._errands, self._done)
        thread = Thread(target=_serve, args=arguments, name=f"{self._name}_{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no more of them just now; those that are there do it all.
            if not self._threads:
                raise Closed(f"no thread can be started: {error}") from error
        else:
            self._threads.append(thread)

    def close(self) -> None:
        """Return once all that was begun is done; blocking."""
        self._dismiss()
        for thread in self._threads:
            thread.join()


def tell(answer: asyncio.Future[Any], result: object, error: BaseException | None = None) -> None:
    """Settle an event loop's future from another thread."""
    # Where the event loop is closed, nobody waits any more.
    with suppress(RuntimeError):
        answer.get_loop().call_soon_threadsafe(_settle, answer, result, error)


def _settle(answer: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if answer.cancelled():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)


def _run(work: Callable[[], T], answer: asyncio.Future[T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it is for whoever waits to hear
        tell(answer, None, error)
    else:
        tell(answer, result)


def _serve(errands: _Errands, done: deque[None]) -> None:
    while (errand := errands.get()) is not None:
        try:
            errand()
        except Exception:
            log.exception("what a thread was asked to do failed, and nobody waits for it")
        del errand
        done.append(None)


def _dismiss(errands: _Errands, most: int) -> None:
    for _ in range(most):
        errands.put(None)
