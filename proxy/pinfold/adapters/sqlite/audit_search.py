"""How entries are found among millions: one index leads, the others say yes or no to what it finds.

SQLite plans a statement without knowing how often a value occurs, so the indexes are asked first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlite_utils

from pinfold.adapters.sqlite.audit_shared import OF_TEMPLATE, listed, meant
from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.target import Target
from pinfold.ports.audit_log import AuditQuery

FEW = 200_000
"""Matches of one condition among which the others may be looked for one by one: a fraction of a second's work."""

_TEMPLATE = ("reference", "sha256", "filename", "project", "version", "rule", "decision", "action", "index")
"""What templates are asked for by, the most telling first; each has an index, `audit_template_<name>`."""
_CLIENT = ("address", "actor")
"""What clients are asked for by, in the same way."""
_USUAL = {"decision": "allow", "action": "file.served"}
"""What most entries have in common; the indexes leave it out."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_WIDENING = 8
"""How many times as many entries each look at those of some templates or clients goes through as the one before."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """What an entry has to be like."""

    sql: str
    values: tuple[str, ...]
    index: str | None
    """What answers it, where anything does."""
    check: str
    """The same of an entry that was found otherwise."""
    shared: str | None = None
    """A select of the templates or clients that entries have to be of, where there is such an index of entries."""

    def count(self, database: sqlite_utils.Database) -> int:
        """Return how many entries match, counted up to FEW."""
        return self._count(database, f"SELECT 1 FROM audit AS a INDEXED BY {self.index} WHERE {self.sql}")  # noqa: S608 - values are bound

    def count_shared(self, database: sqlite_utils.Database) -> int:
        """Return how many templates or clients match, counted up to FEW."""
        return self._count(database, self.shared) if self.shared else 0

    def _count(self, database: sqlite_utils.Database, select: str) -> int:
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({select}) LIMIT {FEW})"  # noqa: S608 - values are bound
        return int(database.execute(sql, self.values).fetchone()[0])


@dataclass(frozen=True, slots=True)
class Search:
    """How a query is answered: by statements that take its values, the numbers they look between, and how many."""

    sql: str
    values: tuple[str, ...]
    scan: str
    """The same without an index: what few entries are quickly looked through with."""
    scan_values: tuple[str, ...]
    seeks: int
    """How often the index is looked into by each look: as often as there are templates or clients that match."""
    first: int
    last: int
    width: int
    """Numbers that are looked through at first."""
    limit: int
    newest_first: bool

    def run(self, database: sqlite_utils.Database) -> list[int]:
        """Return the numbers of the entries."""
        found: list[int] = []
        for first, last in self.spans():
            is_short = last - first < self.seeks
            sql, values = (self.scan, self.scan_values) if is_short else (self.sql, self.values)
            rows = database.execute(sql, [*values, first, last, self.limit - len(found)])
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
    conditions = list(_conditions(query))
    leading, count = _leading(database, query, conditions)
    first, last = _numbers(database, query)
    width, seeks = max(last - first + 1, 1), 0
    if leading and leading.shared and count:
        # What is found of several templates or clients is sorted: of those that come all the time, only the latest.
        width = min(width, 2 * query.limit * width // count + 1)
        seeks = leading.count_shared(database)
    return Search(
        *_statement(conditions, leading, query),
        *_statement(conditions, None, query),
        seeks,
        first,
        last,
        width,
        query.limit,
        query.newest_first,
    )


def _statement(
    conditions: Sequence[_Condition], leading: _Condition | None, query: AuditQuery
) -> tuple[str, tuple[str, ...]]:
    where = [one.sql if one is leading else one.check for one in conditions]
    source = f"audit AS a {f'INDEXED BY {leading.index}' if leading else 'NOT INDEXED'}"
    order = "DESC" if query.newest_first else "ASC"
    sql = f"SELECT a.seq FROM {source} WHERE {' AND '.join([*where, 'a.seq BETWEEN ? AND ?'])} "  # noqa: S608 - values are bound
    return f"{sql} ORDER BY a.seq {order} LIMIT ?", tuple(value for one in conditions for value in one.values)


def concerning(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of all entries that name what a target means, newest first."""
    sql = f"SELECT seq FROM audit INDEXED BY {OF_TEMPLATE} WHERE template IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own names
    found = database.execute(sql, [listed(meant(database, target))])
    return sorted((seq for (seq,) in found), reverse=True)


def _conditions(query: AuditQuery) -> Iterator[_Condition]:
    for kind, names in (("template", _TEMPLATE), ("client", _CLIENT)):
        given = {name: kept_text(text) for name in names if (text := getattr(query, name)) is not None}
        if given:
            yield _of_shared(kind, given)
    if query.since is not None or query.until is not None:
        span = (rfc3339(query.since or _FIRST), rfc3339(query.until or _LAST))
        sql = "a.time >= ? AND a.time < ?"
        yield _Condition(sql, span, "audit_time", sql)


def _of_shared(kind: str, given: Mapping[str, str]) -> _Condition:
    """Return the condition on entries that their template or their client has some texts, the most telling first."""
    where = " AND ".join(f'"{name}" = ?' for name in given)
    values = tuple(given.values())
    check = f"EXISTS (SELECT 1 FROM audit_{kind} WHERE id = a.{kind} AND {where})"  # noqa: S608 - values are bound
    telling = next((name for name, text in given.items() if text != _USUAL.get(name)), None)
    if telling is None:
        return _Condition(check, values, None, check)
    if telling in _USUAL:
        # In the words of the index, without which it is not known to have all that is looked for.
        where += f" AND {telling} <> '{_USUAL[telling]}'"
    select = f"SELECT id FROM audit_{kind} INDEXED BY audit_{kind}_{telling} WHERE {where}"  # noqa: S608 - values are bound
    return _Condition(f"a.{kind} IN ({select})", values, f"audit_of_{kind}", check, select)


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
        others = _Condition(f"a.{sql}", (rfc3339(before),), "audit_time", f"a.{sql}")
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
    in_order = [condition for condition in indexed if condition.shared]
    # A span of time that reaches to the end from which entries are shown leaves out few of the first.
    open_ended = (query.until if query.newest_first else query.since) is None
    counts = {condition: condition.count(database) for condition in (in_order if open_ended else indexed)}
    if not counts:
        return None, 0
    rarest = min(counts, key=counts.__getitem__)
    if counts[rarest] == FEW:
        return (in_order[0], FEW) if in_order else (None, 0)
    return rarest, counts[rarest]
