"""Counts requests where they are stored: of a million entries, none is read that a count does not need."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlite_utils

from pinfold.adapters.sqlite.audit_search import Naming
from pinfold.audit.canonical import actor_from_canonical
from pinfold.domain.audit_entry import Action, Actor
from pinfold.ports.audit_log import Tally

PORTION = 100_000
"""Entries that are counted in one read: a longer one would keep the write-ahead log from being emptied."""
_ACTIONS = (Action.FILE_SERVED, Action.FILE_REFUSED, Action.FILE_BROKEN_OFF)
_FILE = '"index", project, version, filename, sha256'


class TallyReader:
    """Counts requests by client, file and what became of them."""

    def __init__(self) -> None:
        self._actors: dict[int, Actor] = {}

    def portion(self, database: sqlite_utils.Database, naming: Naming, after: int) -> tuple[list[Tally], int | None]:
        """Return tallies of the next entries after a number, and the number to go on after; None at the end.

        Raises ValueError where a client cannot be read.
        """
        upto = _end_of_portion(database, naming, after)
        bound = "" if upto is None else "AND seq <= ?"
        rows = database.execute(
            f"SELECT client, action, unchanged, {_FILE}, count(*), min(time), max(time) FROM {naming.source} "  # noqa: S608 - values are bound
            f"AND seq > ? {bound} AND action IN (?, ?, ?) "
            f"GROUP BY client, filename, sha256, action, unchanged, {_FILE}",
            [*naming.values, after, *([] if upto is None else [upto]), *_ACTIONS],
        ).fetchall()
        self._learn(database, {row[0] for row in rows} - self._actors.keys())
        return [self._tally(*row) for row in rows], upto

    def _tally(self, client: int, action: str, unchanged: int | None, *rest: Any) -> Tally:
        *file, count, first, last = rest
        index, project, version, filename, sha256 = file
        return Tally(
            Action(action),
            bool(unchanged),
            self._actors[client],
            index,
            project,
            version,
            filename,
            sha256,
            count,
            datetime.fromisoformat(first),
            datetime.fromisoformat(last),
        )

    def _learn(self, database: sqlite_utils.Database, clients: Collection[int | None]) -> None:
        sql = "SELECT id, text FROM audit_part WHERE id IN (SELECT value FROM json_each(?))"
        self._actors |= {
            number: actor_from_canonical(text) for number, text in database.execute(sql, [json.dumps(list(clients))])
        }
        if not self._actors.keys() >= set(clients):
            raise ValueError("the client of an entry is gone")


def _end_of_portion(database: sqlite_utils.Database, naming: Naming, after: int) -> int | None:
    sql = f"SELECT seq FROM {naming.source} AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?"  # noqa: S608 - values are bound
    row = database.execute(sql, [*naming.values, after, PORTION - 1]).fetchone()
    return None if row is None else int(row[0])
