"""Wait for a turn among the processes on one store, so that what one of them does need not be done by all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta

from pinfold.domain.errors import StoreError
from pinfold.ports.turns import TakeTurn

LOOK_EVERY = 0.02
"""Seconds between two attempts, which take some 20 microseconds: strangers may have thousands of turns waited for."""


@asynccontextmanager
async def in_turn(
    take: TakeTurn, name: str, patience: timedelta, look_every: float = LOOK_EVERY
) -> AsyncIterator[bool]:
    """Wait until no other process has a turn, but no longer than patience: then go ahead all the same.

    Yields whether another process had it: what this one is about to do may be done. A turn saves work; nothing depends
    on its being the only one, nor on any being had.
    """
    attempts = most = int(patience.total_seconds() / look_every)
    while True:
        with ExitStack() as held:
            ours = _takes(held, take, name)
            if ours or attempts <= 0:
                yield attempts < most or not ours
                return
        attempts -= 1
        await asyncio.sleep(look_every)


def _takes(held: ExitStack, take: TakeTurn, name: str) -> bool:
    """Try to take a turn; where the disk is full, say, there is nobody to wait for."""
    try:
        return held.enter_context(take(name))
    except StoreError:
        return True
