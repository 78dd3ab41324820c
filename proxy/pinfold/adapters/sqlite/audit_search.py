"""How entries are found among millions: one index leads, the others say yes or no to what it finds.

SQLite plans a statement without knowing how often a value occurs, so the indexes are asked first. The rows themselves,
which are wide and lie scattered, are read as seldom as can be before an entry is known to match.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlite_utils

from pinfold.adapters.sqlite.audit_shared import CLIENTS, FILES, listed, meant
from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.target import Target
from pinfold.ports.audit_log import AuditQuery

FEW = 200_000
"""Matches of one condition among which the others may be looked for one by one: a fraction of a second's work."""

_COLUMNS = ("reference", "rule", "decision", "action", "index")
"""The columns that have an index each, `audit_<column>`; the most telling first."""
_USUAL = {"decision": "allow", "action": "file.served"}
"""What most entries have in common; their indexes leave it out."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_WIDENING = 8
"""How many times as many entries each look at those of some files or clients goes through as the one before."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """What an entry has to be like."""

    sql: str
    values: tuple[str, ...]
    index: str | None
    """What answers it, where anything does."""
    is_of_column: bool = False
    """The index has the matches in their order, and is asked about an entry that another one found."""
    is_of_shared: bool = False
    """The index has the matches of each file or client in their order."""

    @property
    def in_order(self) -> bool:
        """No more matches have to be read than are wanted, or not many more."""
        return self.is_of_column or self.is_of_shared

    def count(self, database: sqlite_utils.Database) -> int:
        """Return how many entries match, counted up to FEW."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM audit AS a INDEXED BY {self.index} WHERE {self.sql} LIMIT {FEW})"  # noqa: S608 - values are bound
        return int(database.execute(sql, self.values).fetchone()[0])

    @property
    def check(self) -> str:
        """The condition on an entry that another index found."""
        if not self.is_of_column:
            return self.sql
        sql = self.sql.replace("a.", "b.")
        return f"EXISTS (SELECT 1 FROM audit AS b INDEXED BY {self.index} WHERE {sql} AND b.seq = a.seq)"  # noqa: S608 - values are bound


@dataclass(frozen=True, slots=True)
class Search:
    """How a query is answered: by a statement that takes its values, the numbers it looks between, and how many."""

    sql: str
    values: tuple[str, ...]
    first: int
    last: int
    width: int
    """Numbers that are looked through at first."""
    limit: int
    newest_first: bool

    def run(self, database: sqlite_utils.Database) -> list[int]:
        """Return the numbers of the entries."""
        found: list[int] = []
        for span in self.spans():
            rows = database.execute(self.sql, [*self.values, *span, self.limit - len(found)])
            found += [seq for (seq,) in rows]
            if len(found) == self.limit:
                break
        return found

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield first and last number of each look, as far as there is need for another one."""
        first, last, width = self.first, self.last, self.width
        while first <= last:
            if self.newest_first:
                yield max(first, last - width + 1), last
                last -= width
            else:
                yield first, min(last, first + width - 1)
                first += width
            width *= _WIDENING


def matching(database: sqlite_utils.Database, query: AuditQuery) -> list[int]:
    """Return the numbers of the entries that a query matches, in its order and within its limit."""
    return planned(database, query).run(database) if query.limit > 0 else []


def planned(database: sqlite_utils.Database, query: AuditQuery) -> Search:
    """Return what answers a query, led by the index that has the fewest matches."""
    conditions = list(_conditions(database, query))
    leading, count = _leading(database, query, conditions)
    others = [condition for condition in conditions if condition is not leading]
    where = [*([leading.sql] if leading else []), *(other.check for other in others), "a.seq BETWEEN ? AND ?"]
    source = f"audit AS a {f'INDEXED BY {leading.index}' if leading else 'NOT INDEXED'}"
    order = "DESC" if query.newest_first else "ASC"
    sql = f"SELECT a.seq FROM {source} WHERE {' AND '.join(where)} ORDER BY a.seq {order} LIMIT ?"  # noqa: S608 - values are bound
    values = tuple(value for condition in ([leading] if leading else []) + others for value in condition.values)
    first, last = _numbers(database, query)
    width = max(last - first + 1, 1)
    if leading and leading.is_of_shared and count:
        # What is found of several files or clients is sorted: of those that come all the time, only the latest.
        width = min(width, 2 * query.limit * width // count + 1)
    return Search(sql, values, first, last, width, query.limit, query.newest_first)


def concerning(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of all entries that name what a target means, newest first."""
    sql = f"SELECT seq FROM audit INDEXED BY {FILES.index} WHERE {FILES.condition}"  # noqa: S608 - values are bound
    found = database.execute(sql, [listed(meant(database, target))])
    return sorted((seq for (seq,) in found), reverse=True)


def _conditions(database: sqlite_utils.Database, query: AuditQuery) -> Iterator[_Condition]:
    for shared in (FILES, CLIENTS):
        if (numbers := shared.named(database, query)) is not None:
            yield _Condition(f"a.{shared.condition}", (listed(numbers),), shared.index, is_of_shared=True)
    for name in _COLUMNS:
        if (text := getattr(query, name)) is not None:
            yield _of_column(name, kept_text(text))
    if query.since is not None or query.until is not None:
        span = (rfc3339(query.since or _FIRST), rfc3339(query.until or _LAST))
        yield _Condition("a.time >= ? AND a.time < ?", span, "audit_time")


def _of_column(name: str, text: str) -> _Condition:
    sql, usual = f'a."{name}" = ?', _USUAL.get(name)
    if text == usual:
        return _Condition(sql, (text,), None)
    if usual is not None:
        # In the words of the index, without which it is not known to have all that is looked for.
        sql += f" AND a.{name} <> '{usual}'"
    return _Condition(sql, (text,), f"audit_{name}", is_of_column=True)


def _numbers(database: sqlite_utils.Database, query: AuditQuery) -> tuple[int, int]:
    """Return the numbers between which the entries are.

    Entries are nearly in the order of their times: nothing that came since has to be passed to find what was long ago.
    """
    ends = "SELECT ifnull((SELECT min(seq) FROM audit), 1), ifnull((SELECT max(seq) FROM audit), 0)"
    first, last = database.execute(ends).fetchone()
    if query.newest_first:
        before, sql = query.until, "time >= ?"
    else:
        before, sql = query.since, "time < ?"
    if before is not None:
        others = _Condition(f"a.{sql}", (rfc3339(before),), "audit_time")
        if others.count(database) == FEW:
            found = database.execute(
                "SELECT ifnull(min(seq), 1), ifnull(max(seq), 0) FROM audit INDEXED BY audit_time "
                "WHERE time >= ? AND time < ?",
                [rfc3339(query.since or _FIRST), rfc3339(query.until or _LAST)],
            )
            first, last = found.fetchone()
    return max(first, query.after_seq + 1), last if query.before_seq is None else min(last, query.before_seq - 1)


def _leading(
    database: sqlite_utils.Database, query: AuditQuery, conditions: Sequence[_Condition]
) -> tuple[_Condition | None, int]:
    """Return the condition to lead, if any, and how many entries it matches, counted up to FEW."""
    indexed = [condition for condition in conditions if condition.index is not None]
    in_order = [condition for condition in indexed if condition.in_order]
    # A span of time that reaches to the end from which entries are shown leaves out few of the first.
    open_ended = (query.until if query.newest_first else query.since) is None
    counts = {condition: condition.count(database) for condition in (in_order if open_ended else indexed)}
    if not counts:
        return None, 0
    rarest = min(counts, key=counts.__getitem__)
    if counts[rarest] == FEW:
        return (in_order[0], FEW) if in_order else (None, 0)
    return rarest, counts[rarest]
