"""The present: a revision of everything that answers rest on, for as long as nothing of that is seen to change."""

import asyncio
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Protocol

TRUSTED_SECONDS: Final = 0.25
"""How long what was read counts as current: the longest that another process's change goes unseen."""
AHEAD_SECONDS: Final = TRUSTED_SECONDS / 2
"""How long before its end a look is taken ahead, so that whoever asks again and again never waits for one."""

PATIENCE_SECONDS: Final = 2.0
"""How long a look at everything is waited for: not everybody needs all of it, and whoever does waits for that."""

SOON: Final = timedelta(seconds=TRUSTED_SECONDS)
"""For how long stands, whatever is seen, what rests on more than is looked at."""


class Watched(Protocol):
    """Something that answers rest on, and that others may change."""

    trusted_until: float
    """On the monotonic clock: until then it counts as what it was when it was last looked at."""

    def look_ahead(self) -> None:
        """Begin a look, where one is due, that nobody waits for."""

    async def current(self) -> Any:
        """Return its state, looked at anew where that is due; raises StoreError."""


class Present:
    """Knows whether anything has changed since an answer was begun, without asking what it rests on.

    Whatever may change is watched from when it is first asked for, before any answer can rest on it.
    """

    def __init__(self) -> None:
        self.revision = 0
        """Raised by all that is seen to have changed: what began to be worked out at one stands for no other."""
        self._watched: set[Watched] = set()
        self._looking: asyncio.Task[None] | None = None

    def watch(self, watched: Watched) -> None:
        """Have a revision stand only while this is looked at as well."""
        self._watched.add(watched)

    def change(self) -> None:
        """Let nothing stand that was begun before."""
        self.revision += 1

    def stands_until(self, revision: int) -> float:
        """Return until when, on the monotonic clock, nothing counts as changed since a revision; that may be over.

        Looks that are due begin: who asks again and again is told of a later time each time, or that it is over.
        """
        if revision != self.revision:
            return 0.0
        until = min((watched.trusted_until for watched in self._watched), default=0.0)
        if until - monotonic() <= AHEAD_SECONDS:
            for watched in self._watched:
                watched.look_ahead()
        return until

    async def look(self) -> None:
        """Wait until everything was looked at just now, could not be, or takes long: whoever needs it is told."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.wait((self._looking,), timeout=PATIENCE_SECONDS)

    async def _look(self) -> None:
        await asyncio.gather(*(watched.current() for watched in self._watched), return_exceptions=True)
