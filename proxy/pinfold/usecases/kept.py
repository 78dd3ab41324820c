"""What every request needs to know and hardly anybody changes: kept in memory, and looked after cheaply."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

from pinfold.usecases.present import AHEAD_SECONDS, TRUSTED_SECONDS, Present

T = TypeVar("T")


class Kept(Generic[T]):
    """The present state of something, looked at anew no more often than every TRUSTED_SECONDS."""

    def __init__(self, look: Callable[[T], Awaitable[T]], first: T, present: Present) -> None:
        """`look` is given the state that is kept, and returns it, the very same, where nothing changed."""
        self._look = look
        self._state = first
        self._present = present
        self.trusted_until = 0.0
        """On the monotonic clock: until then the state counts as current."""
        self._check: asyncio.Task[T] | None = None
        self._queued: asyncio.Task[T] | None = None

    async def current(self) -> T:
        """Return the state; many who ask at once cost one look."""
        self._present.watch(self)
        left = self.trusted_until - monotonic()
        if left > AHEAD_SECONDS:
            return self._state
        check = self._begun()
        return self._state if left > 0 else await asyncio.shield(check)

    def look_ahead(self) -> None:
        """Begin a look, where one is due, that nobody waits for."""
        if self.trusted_until - monotonic() <= AHEAD_SECONDS:
            self._begun()

    async def renewed(self) -> T:
        """Return the state as a look finds it that begins after this call: one at a time, whoever asks for it."""
        if self._queued is None:
            self._queued = asyncio.create_task(self._renew_after(self._check))
        return await asyncio.shield(self._queued)

    def distrust(self) -> None:
        """Look again before the next answer: this process changed something."""
        self._check, self.trusted_until = None, 0.0

    def _begun(self) -> asyncio.Task[T]:
        """Return the look that is under way, or one that begins now."""
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(self._renew())
            self._check.add_done_callback(_leave_to_the_next)
        return self._check

    async def _renew_after(self, earlier: asyncio.Task[T] | None) -> T:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        # What whoever asks from here on wants to see may come too late for this look. What was seen before counts for
        # everybody else as long as ever: anybody may ask for what there is not.
        self._queued = self._check = None
        return await asyncio.shield(self._begun())

    async def _renew(self) -> T:
        began = monotonic()
        state = await self._look(self._state)
        # A change through this process begins a new check, beside which an older one has nothing more to say.
        if self._check is asyncio.current_task():
            if state is not self._state:
                self._present.change()
            self._state, self.trusted_until = state, began + TRUSTED_SECONDS
        return state


def _leave_to_the_next(look: asyncio.Task[T]) -> None:
    """Keep asyncio from reporting what went wrong with a look that nobody waited for: whoever asks next looks again."""
    if not look.cancelled():
        look.exception()
