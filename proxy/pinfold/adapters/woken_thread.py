"""A thread that does one thing after the other for an event loop, and is woken by a pipe.

An executor's thread is woken by locks, which it gets no sooner than the interpreter itself: to be woken so, and to tell
the event loop by a future of its own, takes twice as long and twice the CPU.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NamedTuple
from weakref import finalize


class _Errand(NamedTuple):
    work: Callable[[], None]
    then: Callable[[Exception | None], None]
    loop: asyncio.AbstractEventLoop


class WokenThread:
    """A thread that ends once it is closed, or nobody knows of it any more."""

    def __init__(self, name: str) -> None:
        self._errands: deque[_Errand] = deque()
        bell, self._rope = os.pipe()
        self._let_go = finalize(self, os.close, self._rope)
        # It knows of what is to be done, but not of this object, which would never be forgotten otherwise.
        self._thread = Thread(target=_run, args=(bell, self._errands), name=name, daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], None], then: Callable[[Exception | None], None]) -> None:
        """Have something done after all that was asked for before, and then have the running event loop told.

        `then` is called with what the work raised, if anything.
        """
        self._errands.append(_Errand(work, then, asyncio.get_running_loop()))
        os.write(self._rope, b"\0")

    def close(self) -> None:
        """Return once all is done; blocking."""
        self._let_go()
        self._thread.join()


def _run(bell: int, errands: deque[_Errand]) -> None:
    while os.read(bell, 1):
        errand = errands.popleft()
        raised: Exception | None = None
        try:
            errand.work()
        except Exception as error:  # noqa: BLE001 - it is for whoever waits to hear
            raised = error
        # Where the event loop is closed, nobody waits any more.
        with suppress(RuntimeError):
            errand.loop.call_soon_threadsafe(errand.then, raised)
        del errand
    os.close(bell)
