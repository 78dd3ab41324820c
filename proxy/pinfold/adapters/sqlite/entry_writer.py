"""Makes entries durable as they come: those that come while others are written share the next write."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import Durable, EntryJournal
from pinfold.adapters.woken_thread import WokenThread
from pinfold.domain.evidence import Evidence


class _Waiting(NamedTuple):
    draft: Draft
    evidence: Evidence | None
    durable: asyncio.Future[None]


class Amount(NamedTuple):
    """How much went to journals."""

    size: int
    """Bytes."""
    entries: int


class EntryWriter:
    """Writes a process's journals, one after the other, in a thread that does hardly anything but wait for the disk.

    The thread goes on with what came meanwhile by itself: to be told by the event loop, it would have to wait once more
    for the interpreter, which the event loop has.
    """

    def __init__(self, ledger: Path, written: Callable[[], None]) -> None:
        """`written` is called whenever entries have become durable."""
        self.recorded = Amount(0, 0)
        self.durable: Durable | None = None
        """The journal that was written to last, and how far."""
        self._ledger = ledger
        self._written = written
        self._disk = WokenThread("journal")
        self._journal: EntryJournal | None = None
        """The thread's alone, as long as it does anything."""
        self._waiting: deque[_Waiting] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    def write(self, draft: Draft, evidence: Evidence | None) -> asyncio.Future[None]:
        """Return what is done as soon as an entry is durable, or fails with a StoreError.

        It is written whether or not anybody waits for that.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(draft, evidence, loop.create_future())
        self._waiting.append(waiting)
        if self._idle.is_set():
            self._idle.clear()
            # What else comes in this turn of the event loop is written with it.
            loop.call_soon(self._go_on)
        return waiting.durable

    async def close(self) -> None:
        """Write what waits, and leave the journal to whoever takes up what it holds."""
        await self._idle.wait()
        await asyncio.to_thread(self._disk.close)
        self._leave()

    def _go_on(self, _: Exception | None = None) -> None:
        # What came since the thread looked last has nobody else to see to it.
        if self._waiting:
            self._disk.do(partial(self._write_all, asyncio.get_running_loop()), self._go_on)
        else:
            self._idle.set()

    def _write_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while taken := [self._waiting.popleft() for _ in range(len(self._waiting))]:
            try:
                size, durable = self._append(taken)
            except Exception as error:  # noqa: BLE001 - it is for those who wait to hear
                loop.call_soon_threadsafe(self._failed, taken, error)
                # What follows goes to another journal: nobody knows how this one ends.
                self._leave()
            else:
                loop.call_soon_threadsafe(self._succeeded, taken, size, durable)

    def _append(self, taken: list[_Waiting]) -> tuple[int, Durable]:
        if self._journal is not None and self._journal.is_full:
            self._leave()
        if self._journal is None:
            self._journal = EntryJournal(self._ledger)
        data = self._journal.encode((draft, evidence) for draft, evidence, _ in taken)
        self._journal.append(data)
        return len(data), Durable(self._journal, self._journal.size)

    def _leave(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _succeeded(self, taken: list[_Waiting], size: int, durable: Durable) -> None:
        self.recorded = Amount(self.recorded.size + size, self.recorded.entries + len(taken))
        self.durable = durable
        self._written()
        for waiting in taken:
            # Whoever waited for it may have hung up.
            if not waiting.durable.done():
                waiting.durable.set_result(None)

    def _failed(self, taken: list[_Waiting], error: Exception) -> None:
        for waiting in taken:
            if not waiting.durable.done():
                waiting.durable.set_exception(error)
