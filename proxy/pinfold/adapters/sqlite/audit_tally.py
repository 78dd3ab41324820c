"""Counts requests where they are stored: of a million entries, none is read that a count does not need."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlite_utils

from pinfold.adapters.sqlite.audit_shared import OF_TEMPLATE, Request, listed, meant, told
from pinfold.audit.canonical import actor_from_canonical
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.target import Target
from pinfold.ports.audit_log import Tally

PORTION = 100_000
"""Entries that are counted in one read: a longer one would keep the write-ahead log from being emptied."""
_ACTIONS = (Action.FILE_SERVED, Action.FILE_REFUSED, Action.FILE_BROKEN_OFF)
_FROM = f"FROM audit INDEXED BY {OF_TEMPLATE} WHERE"
_LISTED = "template IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Span:
    """Entries that are counted in one read."""

    templates: tuple[int, ...]
    after: int = 0
    upto: int = sys.maxsize


def spans(database: sqlite_utils.Database, target: Target) -> list[Span]:
    """Return the entries that name what a target means, in spans: of several templates, or of one by number."""
    sql = f"SELECT template, count(*) {_FROM} {_LISTED} GROUP BY template"
    counts = database.execute(sql, [listed(meant(database, target))]).fetchall()
    return list(_portions(database, counts))


def _portions(database: sqlite_utils.Database, counts: Collection[tuple[int, int]]) -> Iterator[Span]:
    together: list[int] = []
    total = 0
    for template, count in counts:
        if count > PORTION:
            yield from _by_number(database, template)
            continue
        if total + count > PORTION:
            yield Span(tuple(together))
            together, total = [], 0
        together.append(template)
        total += count
    yield Span(tuple(together))


def _by_number(database: sqlite_utils.Database, template: int) -> Iterator[Span]:
    after = 0
    sql = f"SELECT seq {_FROM} template = ? AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?"
    while row := database.execute(sql, [template, after, PORTION - 1]).fetchone():
        yield Span((template,), after, row[0])
        after = row[0]
    yield Span((template,), after)


class TallyReader:
    """Counts requests by client, file and what became of them."""

    def __init__(self) -> None:
        self._actors: dict[int, Actor] = {}
        self._requests: dict[int, Request] = {}

    def read(self, database: sqlite_utils.Database, span: Span) -> list[Tally]:
        """Return the tallies of a span; raises ValueError where a client or a template cannot be read."""
        rows = database.execute(
            "SELECT template, client, count(*), min(time), max(time) "
            f"{_FROM} {_LISTED} AND seq > ? AND seq <= ? GROUP BY template, client",
            [listed(span.templates), span.after, span.upto],
        ).fetchall()
        templates = {row[0] for row in rows} - self._requests.keys()
        clients = {row[1] for row in rows} - self._actors.keys()
        self._requests |= told(database, templates)
        self._actors |= _actors(database, clients)
        if not (templates <= self._requests.keys() and clients <= self._actors.keys()):
            raise ValueError("what an entry refers to is gone")
        return [
            Tally(
                Action(request.action),
                bool(request.unchanged),
                self._actors[client],
                request.index_name,
                *request.file,
                count=count,
                first=datetime.fromisoformat(first),
                last=datetime.fromisoformat(last),
            )
            for template, client, count, first, last in rows
            if (request := self._requests[template]).action in _ACTIONS
        ]


def _actors(database: sqlite_utils.Database, clients: Collection[int]) -> dict[int, Actor]:
    sql = "SELECT id, text FROM audit_client WHERE id IN (SELECT value FROM json_each(?))"
    return {number: actor_from_canonical(text) for number, text in database.execute(sql, [listed(clients)])}
