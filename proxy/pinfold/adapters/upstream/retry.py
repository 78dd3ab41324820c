"""Asking again, a little later each time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pinfold.adapters.upstream.failures import Transient
from pinfold.adapters.upstream.options import UpstreamOptions

T = TypeVar("T")


async def retried(attempt: Callable[[], Awaitable[T]], options: UpstreamOptions) -> T:
    """Return what an idempotent attempt returns; make it again after transient failures, and raise the last one.

    A pause is as long as the upstream asks, where it does; an upstream that asks for too long a pause is left alone.
    """
    for number in range(options.retries):
        try:
            return await attempt()
        except Transient as error:
            pause = options.backoff * 2**number * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, hides nothing
            if error.retry_after is not None:
                pause = max(pause, error.retry_after)
                if error.retry_after > options.max_retry_after:
                    raise
        await asyncio.sleep(pause)
    return await attempt()
