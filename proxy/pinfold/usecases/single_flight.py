"""Nobody waits twice: concurrent callers of the same work share one run of it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs work once per key at a time; a caller that is cancelled leaves the run to the others."""

    def __init__(self) -> None:
        self._running: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, key: K, work: Callable[[], Awaitable[V]]) -> "asyncio.Task[V]":
        """Return the run of this key, begun now unless it is under way. Shield it before awaiting it."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(_as_coroutine(work))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return task

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """Return what the run of this key returns, or raise what it raises."""
        return await asyncio.shield(self.start(key, work))

    async def close(self) -> None:
        """Cancel what is still running and wait for its end."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _forget(self, key: K, task: "asyncio.Task[V]") -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if not task.cancelled():
            # Every caller may have gone; asking for the exception keeps asyncio from reporting it as lost.
            task.exception()


class OneAtATime(Generic[K]):
    """Locks by key, for those who look first whether what they want was made while they waited."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[K, asyncio.Lock] = WeakValueDictionary()

    def turn(self, key: K) -> asyncio.Lock:
        """Return the lock of a key, which is forgotten when nobody holds it or waits for it."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock


async def _as_coroutine(work: Callable[[], Awaitable[V]]) -> V:
    return await work()
