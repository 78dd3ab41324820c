"""How entries are found among millions: one index leads, the others say yes or no to what it finds.

SQLite plans a statement without knowing how often a value occurs, so the indexes are asked first. The rows themselves,
which are wide and lie scattered, are not read before an entry is known to match.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlite_utils

from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditQuery

FEW = 200_000
"""Matches of one condition among which the others may be looked for one by one: a fraction of a second's work."""

_INDEXED = (
    *("reference", "sha256", "filename", "project", "version", "rule", "address", "actor", "decision", "action"),
    "index",
)
"""The columns that have an index each, `audit_<column>`; the most telling first."""
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Condition:
    """What one index can answer."""

    index: str
    sql: str
    values: tuple[str, ...]
    in_order: bool = True
    """The index yields its matches by number, so that no more of them are read than are wanted."""

    def count(self, database: sqlite_utils.Database) -> int:
        """Return how many entries match, counted up to FEW."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM audit AS a INDEXED BY {self.index} WHERE {self.sql} LIMIT {FEW})"  # noqa: S608 - values are bound
        return int(database.execute(sql, self.values).fetchone()[0])

    @property
    def check(self) -> str:
        """The condition on an entry that another index found."""
        if not self.in_order:
            return self.sql.replace("a.time", "+a.time")
        sql = self.sql.replace("a.", "b.")
        return f"EXISTS (SELECT 1 FROM audit AS b INDEXED BY {self.index} WHERE {sql} AND b.seq = a.seq)"  # noqa: S608 - values are bound


def matching(database: sqlite_utils.Database, query: AuditQuery) -> list[int]:
    """Return the numbers of the entries that a query matches, in its order and within its limit."""
    return [seq for (seq,) in database.execute(*statement(database, query))]


def statement(database: sqlite_utils.Database, query: AuditQuery) -> tuple[str, list[str | int]]:
    """Return what answers a query, led by the index that has the fewest matches."""
    conditions = _conditions(query)
    leading = _leading(database, query, conditions)
    where: list[str] = ["true"]
    values: list[str | int] = []
    if leading is not None:
        where.append(leading.sql)
        values += leading.values
    for condition in conditions:
        if condition is not leading:
            where.append(condition.check)
            values += condition.values
    if query.after_seq:
        where.append("a.seq > ?")
    if query.before_seq is not None:
        where.append("a.seq < ?")
    spans = [number for number in (query.after_seq or None, query.before_seq) if number is not None]
    if (numbers := _numbers(database, query)) is not None:
        where.append("a.seq BETWEEN ? AND ?")
        spans += numbers
    source = f"audit AS a {f'INDEXED BY {leading.index}' if leading else 'NOT INDEXED'}"
    order = "DESC" if query.newest_first else "ASC"
    sql = f"SELECT a.seq FROM {source} WHERE {' AND '.join(where)} ORDER BY a.seq {order} LIMIT ?"  # noqa: S608 - values are bound
    return sql, [*values, *spans, max(query.limit, 0)]


@dataclass(frozen=True, slots=True)
class Naming:
    """A condition on the entries that name some files, and the index that answers it."""

    index: str
    sql: str
    values: tuple[str | None, ...]

    @property
    def source(self) -> str:
        """Where the entries come from, with the condition, to be followed by others."""
        return f"audit INDEXED BY {self.index} WHERE {self.sql}"


def naming(database: sqlite_utils.Database, target: Target) -> list[Naming]:
    """Return conditions of which one holds for each entry that names what a target means.

    PEP 440 judges which versions a specifier admits, and the index has the entries of each.
    """
    match target:
        case ProjectTarget(project):
            return [Naming("audit_project", "project = ?", (project,))]
        case FileTarget(_, filename):
            return [Naming("audit_filename", "filename = ?", (kept_text(filename),))]
        case HashTarget(sha256):
            return [Naming("audit_sha256", "sha256 = ?", (sha256,))]
        case ReleaseTarget(project):
            return [release for release in releases(database, project) if target.admits(release.values[1])]


def releases(database: sqlite_utils.Database, project: str, index: str = "audit_release") -> list[Naming]:
    """Return a condition for each version of a project that entries name."""
    return [
        Naming(index, "project = ? AND version IS ?", (project, version)) for version in versions(database, project)
    ]


def concerning(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of all entries that name what a target means, newest first."""
    found = [
        seq
        for one in naming(database, target)
        for (seq,) in database.execute(f"SELECT seq FROM {one.source}", one.values)  # noqa: S608 - values are bound
    ]
    return sorted(found, reverse=True)


def versions(database: sqlite_utils.Database, project: str) -> list[str | None]:
    """Return the versions of a project that entries name, from version to version through the index."""
    found = database.execute(
        """
        WITH RECURSIVE step (version) AS (
            SELECT min(version) FROM audit WHERE project = :project
            UNION ALL
            SELECT (SELECT min(version) FROM audit WHERE project = :project AND version > step.version)
            FROM step WHERE step.version IS NOT NULL
        )
        SELECT version FROM step
        """,
        {"project": project},
    )
    # The last step finds none, which also stands for files whose names carry no version.
    return [version for (version,) in found]


def _conditions(query: AuditQuery) -> list[_Condition]:
    given = {name: kept_text(text) for name in _INDEXED if (text := getattr(query, name)) is not None}
    conditions = [_Condition(f"audit_{name}", f'a."{name}" = ?', (text,)) for name, text in given.items()]
    if "project" in given and "version" in given:
        conditions = [one for one in conditions if one.index not in ("audit_project", "audit_version")]
        release = (given["project"], given["version"])
        conditions.insert(0, _Condition("audit_release", "a.project = ? AND a.version = ?", release))
    if query.since is not None or query.until is not None:
        span = (rfc3339(query.since or _FIRST), rfc3339(query.until or _LAST))
        conditions.append(_Condition("audit_time", "a.time >= ? AND a.time < ?", span, in_order=False))
    return conditions


def _numbers(database: sqlite_utils.Database, query: AuditQuery) -> tuple[int, int] | None:
    """Return the numbers between which all entries of a span of time are, where many others would be met before them.

    Entries are nearly in the order of their times: nothing that came since has to be passed to find what was long ago.
    """
    if query.newest_first:
        before, sql = query.until, "time >= ?"
    else:
        before, sql = query.since, "time < ?"
    if before is None:
        return None
    others = _Condition("audit_time", f"a.{sql}", (rfc3339(before),))
    if others.count(database) < FEW:
        return None
    found = database.execute(
        "SELECT ifnull(min(seq), 0), ifnull(max(seq), 0) FROM audit INDEXED BY audit_time WHERE time >= ? AND time < ?",
        [rfc3339(query.since or _FIRST), rfc3339(query.until or _LAST)],
    )
    first, last = found.fetchone()
    return first, last


def _leading(database: sqlite_utils.Database, query: AuditQuery, conditions: list[_Condition]) -> _Condition | None:
    in_order = [condition for condition in conditions if condition.in_order]
    # A span of time that reaches to the end from which entries are shown leaves out few of the first.
    open_ended = (query.until if query.newest_first else query.since) is None
    candidates = in_order if open_ended else conditions
    if not candidates:
        return None
    counts = {condition: condition.count(database) for condition in candidates}
    rarest = min(candidates, key=counts.__getitem__)
    if counts[rarest] < FEW:
        return rarest
    return in_order[0] if in_order else None
