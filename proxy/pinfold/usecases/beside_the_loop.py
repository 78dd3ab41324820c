"""Long work in Python beside the event loop, which goes on meanwhile."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

SWITCH_SECONDS: Final = 0.001
"""How long a thread may keep the interpreter from the event loop meanwhile: a fifth of Python's own choice."""


async def beside_the_loop(work: Callable[[], T]) -> T:
    """Run what takes many milliseconds of the interpreter in a thread, and return what it returns."""
    with _switching.often():
        return await asyncio.to_thread(work)


class TakesLong(RuntimeError):
    """Work was begun on the event loop that would hold it up; it is to be begun anew beside it."""


def hold_up_nobody() -> None:
    """Raise TakesLong on the event loop, so that what calls this can be done in other threads alone."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise TakesLong


async def here_or_beside(work: Callable[[], T]) -> T:
    """Return what work returns that may turn out to take long; it is done here unless it does."""
    try:
        return work()
    except TakesLong:
        return await beside_the_loop(work)


class _Switching:
    """How often the interpreter switches between the threads of this process: often only while it has to.

    With Python's own choice the event loop waits 5 ms each time that it has something to do, and stands still for up to
    40 ms while a long page is parsed, judged and rendered; but each switch costs short work in threads as well.
    """

    def __init__(self) -> None:
        self._wanted = 0
        self._usual = 0.0

    @contextmanager
    def often(self) -> Iterator[None]:
        """Switch often in this context; to be entered and left on the event loop."""
        if not self._wanted:
            self._usual = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        self._wanted += 1
        try:
            yield
        finally:
            self._wanted -= 1
            if not self._wanted:
                sys.setswitchinterval(self._usual)


_switching = _Switching()
