"""Makes entries durable as they come, and sees to it that the ledger soon has them."""

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import EntryJournal, hand_over
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence

log = logging.getLogger(__name__)

DELAY = 0.1
"""Seconds that entries wait for others before the ledger takes them up."""
RETRY = 1.0
"""Seconds until a ledger that took nothing up is asked again."""
LARGEST = 4 << 20
"""Bytes that may wait for the ledger."""


class _Waiting(NamedTuple):
    draft: Draft
    evidence: Evidence | None
    durable: asyncio.Future[None]


class Recorder:
    """One process's way into the audit log: entries that come while others are written share the wait for the disk.

    While the ledger takes nothing up, because it fails or its end was tampered with, nothing more is recorded either,
    nor after a journal lost what was in it.
    """

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._journal: EntryJournal | None = None
        self._durable: tuple[Path, int] | None = None
        """The journal that was written to last, and how far."""
        self._disk = ThreadPoolExecutor(1, "journal")
        self._waiting: list[_Waiting] = []
        self._is_writing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._handing_over: asyncio.Task[None] | None = None
        self._recorded = 0
        """Bytes that went to journals."""
        self._taken_up = 0
        """How many of them the ledger has, as far as this process knows."""
        self._must_wait = False
        """The ledger has to take up what there is before anything more is recorded."""
        self._failed: tuple[float, Exception] | None = None
        """When the ledger took nothing up, on the monotonic clock, and why."""
        self._is_closed = False

    async def record(self, draft: Draft, evidence: Evidence | None) -> None:
        """Return once an entry is durable; raises StoreError where it cannot be, or the ledger would not take it."""
        if self._must_wait:
            if self._failed is not None and monotonic() < self._failed[0] + RETRY:
                # To try costs up to seconds, and as much as all that waits.
                raise StoreError(f"the audit log took nothing up a moment ago: {self._failed[1]}")
            await self._hand_over()
        if self._is_closed:
            raise StoreError(f"{self._ledger.path} takes no more entries: Pinfold is stopping")
        waiting = _Waiting(draft, evidence, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._is_writing:
            self._is_writing = True
            # On its own: whoever hangs up first must not keep the others from their answers.
            self._start(self._write_all())
        await waiting.durable

    async def close(self) -> None:
        """Refuse what comes later, and have the ledger take up what came before; raises StoreError."""
        self._is_closed = True
        if self._handing_over is not None:
            self._handing_over.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.to_thread(self._disk.shutdown)
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._recorded:
            # The first change takes up what is left, and the second finds that there is nothing left.
            for _ in range(2):
                await hand_over(self._ledger, self._durable)

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            try:
                self._recorded += await loop.run_in_executor(self._disk, self._write, taken)
            except Exception as error:  # noqa: BLE001 - it is for those who wait to hear
                for waiting in taken:
                    if not waiting.durable.done():
                        waiting.durable.set_exception(error)
            else:
                for waiting in taken:
                    if not waiting.durable.done():
                        waiting.durable.set_result(None)
                self._see_to_it_that_it_is_taken_up()
        self._is_writing = False

    def _write(self, taken: list[_Waiting]) -> int:
        journal = self._journal
        if journal is not None and journal.is_full:
            journal.close()
            journal = None
        # Where this fails, what follows goes to another journal: nobody knows how this one ends.
        self._journal = None
        if journal is None:
            journal = EntryJournal(self._ledger.path)
        before = journal.size
        try:
            journal.append([(draft, evidence) for draft, evidence, _ in taken])
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        self._durable = journal.path, journal.size
        return journal.size - before

    def _see_to_it_that_it_is_taken_up(self) -> None:
        if self._recorded - self._taken_up > LARGEST:
            self._must_wait = True
        if self._handing_over is None and not self._is_closed:
            self._handing_over = self._start(self._hand_over_soon())

    async def _hand_over_soon(self) -> None:
        delay = DELAY
        try:
            # Until nothing is left: what was recorded while the ledger took up the rest waits for nobody else.
            while self._recorded > self._taken_up:
                await asyncio.sleep(delay)
                try:
                    await self._hand_over()
                except Exception as error:  # noqa: BLE001 - nothing more is recorded, whatever it is
                    log.error("the audit log does not take up what was recorded, and nothing more is: %s", error)
                    delay = RETRY
                else:
                    delay = DELAY
        finally:
            self._handing_over = None

    async def _hand_over(self) -> None:
        recorded = self._recorded
        try:
            await hand_over(self._ledger, self._durable)
        except Exception as error:
            self._must_wait, self._failed = True, (monotonic(), error)
            raise
        self._taken_up = max(self._taken_up, recorded)
        self._must_wait, self._failed = False, None

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
