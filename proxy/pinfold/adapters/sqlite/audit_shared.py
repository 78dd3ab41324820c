"""Which of the templates and clients that entries share are asked for."""

import json
from collections.abc import Collection, Iterable
from typing import NamedTuple

import sqlite_utils

from pinfold.audit.canonical import kept_text
from pinfold.domain.target import FileTarget, HashTarget, ProjectTarget, ReleaseTarget, Target

OF_TEMPLATE = "audit_of_template"
"""The index that has the entries by template, and those of each in their order."""


class LoggedFile(NamedTuple):
    """What an entry says of the file, release or project that it is about; None throughout where it is about none."""

    project: str | None
    version: str | None
    filename: str | None
    sha256: str | None


class Request(NamedTuple):
    """What entries of a template say of requests."""

    action: str
    index_name: str | None
    unchanged: int | None
    file: LoggedFile


def listed(numbers: Iterable[int]) -> str:
    """Return numbers as a value for a statement."""
    return json.dumps(list(numbers))


def meant(database: sqlite_utils.Database, target: Target) -> list[int]:
    """Return the numbers of the templates about what a target means; PEP 440 judges which versions it admits."""
    match target:
        case ProjectTarget(project):
            return _with(database, "project", project)
        case FileTarget(_, filename):
            return _with(database, "filename", kept_text(filename))
        case HashTarget(sha256):
            return _with(database, "sha256", sha256)
        case ReleaseTarget(project):
            rows = database.execute("SELECT version, id FROM audit_template WHERE project = ?", [project]).fetchall()
            admitted = {version for version in {version for version, _ in rows} if target.admits(version)}
            return [number for version, number in rows if version in admitted]


def told(database: sqlite_utils.Database, templates: Collection[int]) -> dict[int, Request]:
    """Return what is said by templates, by their numbers, as far as they are there."""
    sql = (
        f'SELECT id, action, "index", unchanged, {", ".join(LoggedFile._fields)} FROM audit_template '  # noqa: S608 - our own names
        "WHERE id IN (SELECT value FROM json_each(?))"
    )
    rows = database.execute(sql, [listed(templates)])
    return {
        number: Request(action, index, unchanged, LoggedFile(*file)) for number, action, index, unchanged, *file in rows
    }


def versions(database: sqlite_utils.Database, project: str) -> set[str]:
    """Return the versions of a project that entries name."""
    sql = "SELECT DISTINCT version FROM audit_template WHERE project = ? AND version IS NOT NULL"
    return {version for (version,) in database.execute(sql, [project])}


def _with(database: sqlite_utils.Database, column: str, text: str) -> list[int]:
    sql = f"SELECT id FROM audit_template INDEXED BY audit_template_{column} WHERE {column} = ?"  # noqa: S608 - our own names
    return [number for (number,) in database.execute(sql, [text])]
