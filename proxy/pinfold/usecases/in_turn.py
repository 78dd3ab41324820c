"""Wait for a turn among the processes on one store, so that what one of them does need not be done by all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pinfold.ports.turns import TakeTurn

LOOK_EVERY = 0.02
"""Seconds between two attempts."""


@asynccontextmanager
async def in_turn(take: TakeTurn, name: str, patience: timedelta) -> AsyncIterator[bool]:
    """Wait until no other process has a turn, but no longer than patience: then go ahead all the same.

    Yields whether another process had it: what this one is about to do may be done. A turn saves work; nothing depends
    on its being the only one.
    """
    attempts = most = int(patience.total_seconds() / LOOK_EVERY)
    while True:
        with take(name) as ours:
            if ours or attempts <= 0:
                yield attempts < most or not ours
                return
        attempts -= 1
        await asyncio.sleep(LOOK_EVERY)
