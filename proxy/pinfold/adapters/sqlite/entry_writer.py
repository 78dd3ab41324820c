"""Makes entries durable as they come: those that come while others are written share the next write."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pinfold.adapters.sqlite.audit_append import Draft
from pinfold.adapters.sqlite.audit_journal import EntryJournal
from pinfold.adapters.woken_thread import WokenThread
from pinfold.domain.evidence import Evidence


class _Waiting(NamedTuple):
    draft: Draft
    evidence: Evidence | None
    durable: asyncio.Future[None]


class EntryWriter:
    """Writes a process's journals, one after the other, in a thread that does nothing but wait for the disk."""

    def __init__(self, ledger: Path, written: Callable[[], None]) -> None:
        """`written` is called whenever entries have become durable."""
        self.recorded = 0
        """Bytes that went to journals."""
        self.durable: tuple[Path, int] | None = None
        """The journal that was written to last, and how far."""
        self._ledger = ledger
        self._written = written
        self._disk = WokenThread("journal")
        self._journal: EntryJournal | None = None
        self._waiting: list[_Waiting] = []
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
            loop.call_soon(self._write_next)
        return waiting.durable

    async def close(self) -> None:
        """Write what waits, and leave the journal to whoever takes up what it holds."""
        await self._idle.wait()
        await asyncio.to_thread(self._disk.close)
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write_next(self) -> None:
        journal = self._journal
        if journal is None or journal.is_full:
            self._disk.do(self._begin, self._begun)
            return
        taken, self._waiting = self._waiting, []
        try:
            # Here rather than there: the thread needs the interpreter, which others have, for next to nothing then.
            data = journal.encode((draft, evidence) for draft, evidence, _ in taken)
        except Exception as error:  # noqa: BLE001 - it is for those who wait to hear
            journal.close()
            self._end(taken, error)
        else:
            self._disk.do(partial(_append, journal, data), partial(self._appended, journal, taken, len(data)))

    def _begin(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()
        self._journal = EntryJournal(self._ledger)

    def _begun(self, error: Exception | None) -> None:
        if error is None:
            self._write_next()
        else:
            taken, self._waiting = self._waiting, []
            self._end(taken, error)

    def _appended(self, journal: EntryJournal, taken: list[_Waiting], size: int, error: Exception | None) -> None:
        if error is None:
            self.recorded += size
            self.durable = journal.path, journal.size
            self._written()
        self._end(taken, error)

    def _end(self, taken: list[_Waiting], error: Exception | None) -> None:
        if error is not None:
            # What follows goes to another journal: nobody knows how this one ends.
            self._journal = None
        # Before anybody is told, so that the disk does not wait for what they do next.
        if self._waiting:
            self._write_next()
        else:
            self._idle.set()
        for waiting in taken:
            if waiting.durable.done():
                # Whoever waited for it hung up.
                continue
            if error is None:
                waiting.durable.set_result(None)
            else:
                waiting.durable.set_exception(error)


def _append(journal: EntryJournal, data: bytes) -> None:
    try:
        journal.append(data)
    except BaseException:
        journal.close()
        raise
