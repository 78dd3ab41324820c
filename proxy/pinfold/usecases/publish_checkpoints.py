"""Checkpoints on their way out of reach of whoever could rewrite the log: at an interval, and when a server stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from pinfold.domain.errors import PinfoldError
from pinfold.ports.checkpoints import CheckpointSink
from pinfold.ports.turns import TakeTurn

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
"""Seconds after a failure; they double with each one, up to the interval."""
LAST_SECONDS = 5.0
"""How long a sink may take for the last checkpoint."""


class PublishCheckpoints:
    """Gives each sink the latest checkpoint; no sink holds up another, and no request waits for any.

    Of several processes, the one that has its turn does it for all.
    """

    def __init__(
        self,
        latest: Callable[[], Awaitable[bytes]],
        sinks: Sequence[CheckpointSink],
        interval: timedelta,
        turn: TakeTurn,
    ) -> None:
        self._latest = latest
        self._sinks = sinks
        self._interval = interval.total_seconds()
        self._turn = turn

    async def run(self) -> None:
        """Publish until cancelled, and then once more."""
        await asyncio.gather(*map(self._serve, self._sinks))

    async def _serve(self, sink: CheckpointSink) -> None:
        while True:
            try:
                # Names of other turns have no dots.
                with self._turn(f"checkpoints.{sink.name}") as ours:
                    if ours:
                        await self._lead(sink)
            except Exception:
                log.exception("no checkpoint is kept by %s", sink.name)
            await asyncio.sleep(min(self._interval, FIRST_PAUSE))

    async def _lead(self, sink: CheckpointSink) -> None:
        kept, failures = b"", 0
        try:
            while True:
                try:
                    kept = await self._publish(sink, kept)
                except PinfoldError as error:
                    pause = min(FIRST_PAUSE * 2**failures, self._interval)
                    failures += 1
                    log.warning("no checkpoint is kept by %s: %s; tried again in %g s", sink.name, error, pause)
                    await asyncio.sleep(pause)
                else:
                    failures = 0
                    await asyncio.sleep(self._interval)
        except asyncio.CancelledError:
            await self._publish_last(sink, kept)
            raise

    async def _publish(self, sink: CheckpointSink, kept: bytes) -> bytes:
        note = await self._latest()
        if note != kept:
            await sink.keep(note)
        return note

    async def _publish_last(self, sink: CheckpointSink, kept: bytes) -> None:
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._publish(sink, kept)
        except (PinfoldError, TimeoutError) as error:
            log.warning("the last checkpoint is not kept by %s: %s", sink.name, str(error) or "it took too long")
