"""Which of the files and clients that entries share are asked for."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlite_utils

from pinfold.adapters.sqlite.audit_parts import LoggedFile
from pinfold.audit.canonical import kept_text
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditQuery


@dataclass(frozen=True, slots=True)
class Shared:
    """What entries refer to by number, by a column that has an index: `audit_of_<column>`."""

    column: str
    telling: tuple[str, ...]
    """What it is asked for by, the most telling first; each has an index, `audit_<column>_<name>`."""

    @property
    def index(self) -> str:
        """The index that has the entries, by what they share and then in their order."""
        return f"audit_of_{self.column}"

    @property
    def condition(self) -> str:
        """The condition on an entry that it refers to some of them, whose numbers `listed` makes a value of."""
        return f"{self.column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own names

    def named(self, database: sqlite_utils.Database, query: AuditQuery) -> list[int] | None:
        """Return the numbers of those that a query names; None where it names none, and any will do."""
        given = {name: kept_text(text) for name in self.telling if (text := getattr(query, name)) is not None}
        return self.found(database, **given) if given else None

    def found(self, database: sqlite_utils.Database, **given: str) -> list[int]:
        """Return the numbers of those of which something is given."""
        # SQLite plans a statement without knowing how often a value occurs.
        index = next(f"audit_{self.column}_{name}" for name in self.telling if name in given)
        where = " AND ".join(f"{name} = ?" for name in given)
        sql = f"SELECT id FROM audit_{self.column} INDEXED BY {index} WHERE {where}"  # noqa: S608 - values are bound
        return [number for (number,) in database.execute(sql, list(given.values()))]


FILES = Shared("file", ("sha256", "filename", "project", "version"))
CLIENTS = Shared("client", ("address", "actor"))


def listed(numbers: Iterable[int]) -> str:
    """Return numbers as a value for a statement."""
    return json.dumps(list(numbers))


def meant(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of the files that a target means; PEP 440 judges which versions a specifier admits."""
    match target:
        case ProjectTarget(project):
            return FILES.found(database, project=project)
        case FileTarget(_, filename):
            return FILES.found(database, filename=kept_text(filename))
        case HashTarget(sha256):
            return FILES.found(database, sha256=sha256)
        case ReleaseTarget(project):
            rows = database.execute("SELECT version, id FROM audit_file WHERE project = ?", [project]).fetchall()
            admitted = {version for version in {version for version, _ in rows} if target.admits(version)}
            return [number for version, number in rows if version in admitted]


def told(database: sqlite_utils.Database, files: Collection[int]) -> dict[int, LoggedFile]:
    """Return what is said of files, by their numbers, as far as it is there."""
    sql = f"SELECT id, {', '.join(LoggedFile._fields)} FROM audit_file WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 - our own names
    return {number: LoggedFile(*file) for number, *file in database.execute(sql, [listed(files)])}


def versions(database: sqlite_utils.Database, project: str) -> set[str]:
    """Return the versions of a project that entries name."""
    sql = "SELECT DISTINCT version FROM audit_file WHERE project = ? AND version IS NOT NULL"
    return {version for (version,) in database.execute(sql, [project])}
