"""What every request needs of the ledger and hardly anybody changes: kept in memory, and looked after cheaply."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")

TRUSTED_SECONDS = 0.25
"""How long what was read counts as current: the longest that another process's change goes unseen."""
AHEAD_SECONDS = TRUSTED_SECONDS / 2
"""How long before its end a look is taken ahead, so that whoever asks again and again never waits for one."""


class Kept(Generic[T]):
    """The present state of something, looked at anew no more often than every TRUSTED_SECONDS."""

    def __init__(self, look: Callable[[T], Awaitable[T]], first: T) -> None:
        """`look` is given the state that is kept, and returns it where nothing changed."""
        self._look = look
        self._state = first
        self._trusted_until = 0.0
        self._check: asyncio.Task[T] | None = None
        self._queued: asyncio.Task[T] | None = None

    async def current(self) -> T:
        """Return the state; many who ask at once cost one look."""
        left = self._trusted_until - monotonic()
        if left > AHEAD_SECONDS:
            return self._state
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._renew())
            self._check.add_done_callback(_leave_to_the_next)
        return self._state if left > 0 else await asyncio.shield(self._check)

    async def renewed(self) -> T:
        """Return the state as a look finds it that begins after this call: one at a time, whoever asks for it."""
        if self._queued is None:
            self._queued = asyncio.create_task(self._renew_after(self._check))
        return await asyncio.shield(self._queued)

    def distrust(self) -> None:
        """Look again before the next answer: this process changed something."""
        self._check, self._trusted_until = None, 0.0

    async def _renew_after(self, earlier: asyncio.Task[T] | None) -> T:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        # What whoever asks from here on wants to see may come too late for this look.
        self._queued = None
        self.distrust()
        return await self.current()

    async def _renew(self) -> T:
        began = monotonic()
        state = await self._look(self._state)
        # A change through this process begins a new check, beside which an older one has nothing more to say.
        if self._check is asyncio.current_task():
            self._state, self._trusted_until = state, began + TRUSTED_SECONDS
        return state


def _leave_to_the_next(look: asyncio.Task[T]) -> None:
    """Keep asyncio from reporting what went wrong with a look that nobody waited for: whoever asks next looks again."""
    if not look.cancelled():
        look.exception()
