"""Counts requests where they are stored: of a million entries, none is read that a count does not need."""

import json
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.audit_search import Naming, naming, releases
from pinfold.audit.canonical import actor_from_canonical
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.target import ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import Tally

T = TypeVar("T")
File = tuple[str | None, str | None, str | None, str | None, str | None]
"""Index, project, version, file name and sha256."""
_file = msgspec.json.Decoder(File).decode

PORTION = 100_000
"""Entries of one file that are counted in one read."""
_ACTIONS = (Action.FILE_SERVED, Action.FILE_REFUSED, Action.FILE_BROKEN_OFF)


@dataclass(frozen=True, slots=True)
class Span:
    """Entries that are counted in one read."""

    naming: Naming
    after: int = 0
    upto: int = sys.maxsize


def spans(database: sqlite_utils.Database, target: Target) -> list[Span]:
    """Return the entries that name what a target means, in spans: by release where the target has any, else by number.

    One index has all that counting a release needs, in its order. A longer read would keep the write-ahead log from
    being emptied.
    """
    match target:
        case ProjectTarget(project):
            return [Span(release) for release in releases(database, project, "audit_counted")]
        case ReleaseTarget(project):
            found = releases(database, project, "audit_counted")
            return [Span(release) for release in found if target.admits(release.values[1])]
        case _:
            return [span for one in naming(database, target) for span in _by_number(database, one)]


def _by_number(database: sqlite_utils.Database, naming: Naming) -> Iterator[Span]:
    after = 0
    sql = f"SELECT seq FROM {naming.source} AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?"  # noqa: S608 - values are bound
    while row := database.execute(sql, [*naming.values, after, PORTION - 1]).fetchone():
        yield Span(naming, after, row[0])
        after = row[0]
    yield Span(naming, after)


class TallyReader:
    """Counts requests by client, file and what became of them."""

    def __init__(self) -> None:
        self._actors: dict[int, Actor] = {}
        self._files: dict[int, File] = {}

    def read(self, database: sqlite_utils.Database, span: Span) -> list[Tally]:
        """Return the tallies of a span; raises ValueError where a client or a file cannot be read."""
        rows = database.execute(
            "SELECT file, client, action, unchanged, count(*), min(time), max(time) "  # noqa: S608 - values are bound
            f"FROM {span.naming.source} AND seq > ? AND seq <= ? AND action IN (?, ?, ?) "
            "GROUP BY file, client, action, unchanged",
            [*span.naming.values, span.after, span.upto, *_ACTIONS],
        ).fetchall()
        _learn(database, self._files, {row[0] for row in rows}, _file)
        _learn(database, self._actors, {row[1] for row in rows}, actor_from_canonical)
        return [
            Tally(
                Action(action),
                bool(unchanged),
                self._actors[client],
                *self._files[file],
                count=count,
                first=datetime.fromisoformat(first),
                last=datetime.fromisoformat(last),
            )
            for file, client, action, unchanged, count, first, last in rows
        ]


def _learn(
    database: sqlite_utils.Database, known: dict[int, T], wanted: Collection[int], read: Callable[[bytes], T]
) -> None:
    missing = [number for number in wanted if number not in known]
    sql = "SELECT id, text FROM audit_part WHERE id IN (SELECT value FROM json_each(?))"
    known |= {number: read(text) for number, text in database.execute(sql, [json.dumps(missing)])}
    if not all(number in known for number in missing):
        raise ValueError("what an entry refers to is gone")
