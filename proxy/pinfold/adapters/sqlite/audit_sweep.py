"""Drops what entries shared, once none that remains refers to it: evidence, clients, templates and sets of verdicts.

Others append meanwhile. What is to go is sought beside them, and goes only where nothing refers to it since.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import sqlite_utils

from pinfold.adapters.sqlite.database import Database

PORTION = 100_000
"""Rows that are looked through in one read: a longer one would keep the write-ahead log from being emptied."""
BATCH = 1_000
"""Rows that are deleted in one transaction: appends wait for it."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """Rows of one table that rows of another refer to; both have numbers that grow, and are never given twice."""

    table: str
    referring: str
    number: str
    """The number of the rows that refer."""
    references: str
    """A select of the references, by `number` from `:first` to `:last`."""


def _of_entries(table: str, column: str) -> _Shared:
    references = f"SELECT {column} FROM audit WHERE seq BETWEEN :first AND :last AND {column} IS NOT NULL"  # noqa: S608 - our own names
    return _Shared(table, "audit", "seq", references)


_SHARED = (
    _of_entries("evidence", "evidence"),
    _Shared(
        "evidence_part",
        "evidence",
        "id",
        "SELECT part.value FROM evidence, json_each(parts) AS part WHERE evidence.id BETWEEN :first AND :last",
    ),
    _of_entries("audit_client", "client"),
    _of_entries("audit_template", "template"),
    _Shared(
        "audit_verdicts",
        "audit_template",
        "id",
        "SELECT verdicts FROM audit_template WHERE id BETWEEN :first AND :last AND verdicts IS NOT NULL",
    ),
)
_END = 2**62


async def sweep(ledger: Database) -> int:
    """Delete what no entry refers to, and return how many rows that is; where it is interrupted, the next one goes on.

    Raises StoreError.
    """
    count = 0
    for shared in _SHARED:
        last, unreferred = await _unreferred(ledger, shared)
        for first in range(0, len(unreferred), BATCH):
            batch = unreferred[first : first + BATCH]
            count += await ledger.write(partial(_delete, shared=shared, batch=batch, since=last + 1))
    return count


async def _unreferred(ledger: Database, shared: _Shared) -> tuple[int, list[int]]:
    """Return what nothing refers to, and the last row that was asked."""
    newest = f"SELECT (SELECT max(id) FROM {shared.table}), (SELECT max({shared.number}) FROM {shared.referring})"  # noqa: S608 - our own names
    upto, last = await ledger.read(lambda database: database.execute(newest).fetchone())
    left = set(await ledger.read(_column(f"SELECT id FROM {shared.table} WHERE id <= :upto", upto=upto)))  # noqa: S608
    for first in range(1, (last or 0) + 1, PORTION):
        left.difference_update(
            await ledger.read(_column(shared.references, first=first, last=min(first + PORTION - 1, last)))
        )
    return last or 0, sorted(left)


def _column(sql: str, **values: int) -> Callable[[sqlite_utils.Database], list[int]]:
    return lambda database: [number for (number,) in database.execute(sql, values)]


def _delete(database: sqlite_utils.Database, shared: _Shared, batch: list[int], since: int) -> int:
    deleted = database.execute(
        f"DELETE FROM {shared.table} WHERE id IN (SELECT value FROM json_each(:batch)) "  # noqa: S608 - our own names
        f"AND id NOT IN ({shared.references})",
        {"batch": json.dumps(batch), "first": since, "last": _END},
    )
    return int(deleted.rowcount)
