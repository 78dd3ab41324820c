"""Gathers the entries that wait to be appended while a transaction is under way; the next one takes them all."""

import asyncio
from collections import deque
from functools import partial
from typing import NamedTuple

import sqlite_utils

from pinfold.adapters.sqlite.audit_append import Draft, append_all
from pinfold.adapters.sqlite.database import Database


class _Waiting(NamedTuple):
    draft: Draft
    number: asyncio.Future[int]


class AppendQueue:
    """Entries that are written in one go share all that a change of the ledger costs beside their own rows."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._waiting: deque[_Waiting] = deque()
        self._writing: set[asyncio.Task[None]] = set()
        self._is_sought = False
        """A change was asked for that will take whatever waits by then."""

    async def append(self, draft: Draft) -> int:
        """Append an entry and return its number, once it is durable; raises StoreError."""
        waiting = _Waiting(draft, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if not self._is_sought:
            self._is_sought = True
            # On its own: whoever hangs up first must not keep the others from their answers.
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await waiting.number

    async def _write(self) -> None:
        taken: list[_Waiting] = []
        try:
            first = await self._ledger.write(partial(self._append_waiting, taken=taken))
        except Exception as error:  # noqa: BLE001 - it is for those who wait to hear
            self._take(taken)
            for _, number in taken:
                if not number.done():
                    number.set_exception(error)
        else:
            for seq, (_, number) in enumerate(taken, first):
                if not number.done():
                    number.set_result(seq)

    def _append_waiting(self, database: sqlite_utils.Database, taken: list[_Waiting]) -> int:
        self._take(taken)
        return append_all(database, [draft for draft, _ in taken])

    def _take(self, taken: list[_Waiting]) -> None:
        # In this order: what comes after the last look has another change asked for.
        self._is_sought = False
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.number.cancelled():
                taken.append(waiting)
