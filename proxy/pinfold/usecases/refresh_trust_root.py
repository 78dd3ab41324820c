"""Refreshing the trust root in the background, by one process at a time for all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pinfold.domain.errors import PinfoldError, TrustRootError
from pinfold.domain.provenance import TrustRoot
from pinfold.ports.clock import Clock
from pinfold.ports.telemetry import Telemetry
from pinfold.ports.trust_root_source import TrustRootSource
from pinfold.ports.turns import TakeTurn

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often a process looks whether something is to be done, or was done by another one."""
RETRY_AFTER = timedelta(hours=1)
"""The longest after which a refresh that failed is tried again."""

Renew = Callable[[], Awaitable[TrustRoot]]
"""Goes over to the trust root that is in its place now, and tells it; raises TrustRootError, and stays as it is."""


class RefreshTrustRoot:
    """Keeps the trust root up to date until it is cancelled; what fails leaves the last good one in force."""

    def __init__(
        self,
        source: TrustRootSource,
        interval: timedelta,
        renew: Renew,
        turn: TakeTurn,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._source = source
        self._interval = interval
        self._renew = renew
        self._turn = turn
        self._clock = clock
        self._telemetry = telemetry
        self._present: TrustRoot | None = None
        self._told = ""

    async def run(self) -> None:
        """Refresh by the interval; what fails is logged once, and tried again."""
        while True:
            try:
                await self.look()
                self._told = ""
            except PinfoldError as error:
                if str(error) != self._told:
                    self._told = str(error)
                    log.warning("the trust root is not refreshed: %s", error)
            except Exception:
                log.exception("the trust root is not refreshed")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Refresh where that is due, and go over to what this or another process put in place.

        Raises TrustRootError for a refresh that failed, and StoreError.
        """
        failed: TrustRootError | None = None
        if await self._is_due():
            with self._turn("trust-root") as ours:
                # Another process may have had its turn just before.
                if ours and await self._is_due():
                    try:
                        await self._source.refresh()
                    except TrustRootError as error:
                        failed = error
        root = await self._renew()
        if root != self._present:
            self._present = root
            self._telemetry.trust_root(root)
            log.info("provenance is verified with the trust root of sha256 %s", root.sha256)
        self._telemetry.trust_root_checked((await self._source.state()).checked_at)
        if failed is not None:
            raise failed

    async def _is_due(self) -> bool:
        state, now = await self._source.state(), self._clock.now()
        if state.failed_at is not None:
            return now - state.failed_at >= min(self._interval, RETRY_AFTER)
        return state.checked_at is None or now - state.checked_at >= self._interval
