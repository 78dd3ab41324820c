"""Makes entries durable as they come, and sees to it that the ledger soon has them."""

import asyncio
import logging
from time import monotonic

from pinfold.adapters.outage import Outage
from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import Durable, hand_over, is_taken_up
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.entry_writer import Amount, EntryWriter
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence
from pinfold.ports.audit_log import Backlog

log = logging.getLogger(__name__)

DELAY = 0.1
"""Seconds that entries wait for others before the ledger takes them up."""
LOOK = 0.1
"""Seconds for a look whether they were taken up: long reads by others may hold it up."""
BELIEVED = 5.0
"""Seconds for which the ledger is believed to have what it says: a look verifies no signature, a change does."""
RETRY = 1.0
"""Seconds until a ledger that took nothing up is asked again."""
LARGEST = 4 << 20
"""Bytes that may wait for the ledger."""


class Recorder:
    """One process's way into the audit log.

    While the ledger takes nothing up, because it fails or its end was tampered with, nothing more is recorded either,
    nor after a journal lost what was in it.
    """

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._journals = EntryWriter(ledger.path, self._see_to_it_that_it_is_taken_up)
        self._handing_over: asyncio.Task[None] | None = None
        self._taken_up = Amount(0, 0)
        """How much of what was recorded the ledger has, as far as this process knows."""
        self._handed_over_at = monotonic()
        """When the ledger was changed last, or opened, and so verified."""
        self._waits_since = 0.0
        """When the oldest entry was recorded that the ledger does not have, or before, on the monotonic clock."""
        self._must_wait = False
        """The ledger has to take up what there is before anything more is recorded."""
        self._failed: tuple[float, Exception] | None = None
        """When the ledger took nothing up, on the monotonic clock, and why."""
        self._outage = Outage(
            log,
            "the audit log does not take up what was recorded, and nothing more is",
            "the audit log takes up what was recorded",
        )
        self._is_closed = False

    @property
    def backlog(self) -> Backlog:
        """What waits for the ledger."""
        entries = self._journals.recorded.entries - self._taken_up.entries
        seconds = monotonic() - self._waits_since if entries else 0.0
        return Backlog(entries, seconds, self._failed and self._failed[1])

    async def record(self, draft: Draft, evidence: Evidence | None) -> None:
        """Return once an entry is durable; raises StoreError where it cannot be, or the ledger would not take it."""
        if self._must_wait:
            if self._failed is not None and monotonic() < self._failed[0] + RETRY:
                # To try costs up to seconds, and as much as all that waits.
                raise StoreError(f"the audit log took nothing up a moment ago: {self._failed[1]}")
            await self._hand_over()
        if self._is_closed:
            raise StoreError(f"{self._ledger.path} takes no more entries: Pinfold is stopping")
        await self._journals.write(draft, evidence)

    async def close(self) -> None:
        """Refuse what comes later, and have the ledger take up what came before; raises StoreError."""
        self._is_closed = True
        if self._handing_over is not None:
            self._handing_over.cancel()
            await asyncio.wait([self._handing_over])
        await self._journals.close()
        if self._journals.recorded.entries:
            # The first change takes up what is left, and the second finds that there is nothing left.
            for _ in range(2):
                await hand_over(self._ledger, self._journals.durable)

    def _see_to_it_that_it_is_taken_up(self) -> None:
        if self._journals.recorded.size - self._taken_up.size > LARGEST:
            self._must_wait = True
        if self._handing_over is None and not self._is_closed:
            self._waits_since = monotonic()
            self._handing_over = asyncio.create_task(self._hand_over_soon())

    async def _hand_over_soon(self) -> None:
        delay = DELAY
        try:
            # Until nothing is left: what was recorded while the ledger took up the rest waits for nobody else.
            while self._journals.recorded > self._taken_up or self._failed is not None:
                recorded, durable, now = self._journals.recorded, self._journals.durable, monotonic()
                await asyncio.sleep(delay)
                try:
                    if await self._has_another_taken_up(durable):
                        self._taken_up = max(self._taken_up, recorded)
                    else:
                        await self._hand_over()
                except Exception as error:  # noqa: BLE001 - nothing more is recorded, whatever it is
                    self._outage.failed(error, self.backlog.entries)
                    delay = RETRY
                else:
                    self._outage.succeeded()
                    self._waits_since, delay = now, DELAY
        finally:
            self._handing_over = None

    async def _has_another_taken_up(self, durable: Durable | None) -> bool:
        if self._failed is not None or durable is None or monotonic() > self._handed_over_at + BELIEVED:
            return False
        try:
            async with asyncio.timeout(LOOK):
                return await is_taken_up(self._ledger, durable)
        except Exception:  # noqa: BLE001 - whoever hands over meets what is wrong, whatever it is, and ends recording
            return False

    async def _hand_over(self) -> None:
        recorded = self._journals.recorded
        try:
            await hand_over(self._ledger, self._journals.durable)
        except Exception as error:
            self._must_wait, self._failed = True, (monotonic(), error)
            # Whoever met it may be the last to come, as who asks whether this process is ready keeps others away.
            self._see_to_it_that_it_is_taken_up()
            raise
        self._taken_up, self._handed_over_at = max(self._taken_up, recorded), monotonic()
        self._must_wait, self._failed = False, None
