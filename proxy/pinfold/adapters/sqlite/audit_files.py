"""Which of the files that entries are about are asked for."""

import json
from collections.abc import Collection, Iterable

import sqlite_utils

from pinfold.adapters.sqlite.audit_columns import LoggedFile
from pinfold.audit.canonical import kept_text
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target
from pinfold.ports.audit_log import AuditQuery

OF_FILES = "file IN (SELECT value FROM json_each(?))"
"""The condition on an entry that it is about some files, given by `listed`."""
_TELLING = ("sha256", "filename", "project", "version")
"""The columns of files that have an index each, `audit_file_<column>`; the most telling first."""


def listed(files: Iterable[int]) -> str:
    """Return the numbers of files as a value for `OF_FILES`."""
    return json.dumps(list(files))


def named(database: sqlite_utils.Database, query: AuditQuery) -> list[int] | None:
    """Return the numbers of the files that a query names; None where it names none, and entries about any will do."""
    given = {name: kept_text(text) for name in _TELLING if (text := getattr(query, name)) is not None}
    return _found(database, given) if given else None


def meant(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of the files that a target means; PEP 440 judges which versions a specifier admits."""
    match target:
        case ProjectTarget(project):
            return _found(database, {"project": project})
        case FileTarget(_, filename):
            return _found(database, {"filename": kept_text(filename)})
        case HashTarget(sha256):
            return _found(database, {"sha256": sha256})
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


def _found(database: sqlite_utils.Database, given: dict[str, str]) -> list[int]:
    # SQLite plans a statement without knowing how often a value occurs.
    index = next(f"audit_file_{name}" for name in _TELLING if name in given)
    where = " AND ".join(f"{name} = ?" for name in given)
    sql = f"SELECT id FROM audit_file INDEXED BY {index} WHERE {where}"  # noqa: S608 - values are bound
    return [number for (number,) in database.execute(sql, list(given.values()))]
