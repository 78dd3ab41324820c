"""What looking back needs to remember, in the ledger's file: both halves of each change are one transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlite_utils

from pinfold.adapters.sqlite.alerts import put
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_journal import folder_of, is_anything_waiting, settle
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.alert import Alert
from pinfold.domain.audit_entry import Entry
from pinfold.ports.look_back import HANDOVER, ChangedDecision, EvidenceChange, ServedFile

_SERVED = "SELECT DISTINCT project FROM served_file"
_NOTE = """
    INSERT INTO evidence_change (cause, project, taken_until)
    SELECT :cause, project, :until FROM wanted WHERE NOT EXISTS (
        SELECT 1 FROM evidence_change AS noted
        WHERE noted.project = wanted.project AND noted.cause = :cause AND noted.taken_until IS :until
            AND noted.filename IS NULL AND noted.sha256 IS NULL
    )
"""
_INTENDED = "DELETE FROM evidence_change WHERE project = ? AND cause = ? AND taken_until IS NOT NULL AND attempts = 0"


class SqliteLookBackStore:
    """Files that were served, and changes that nobody has looked at yet."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def note(self, projects: Collection[str] | None, cause: str, *, until: datetime | None = None) -> None:
        """Note that the evidence of some projects changed; None stands for all that files were served of."""
        cause, wanted = kept_text(cause), None if projects is None else sorted(projects)
        folder = folder_of(self._ledger.path)
        # What nobody was served has nothing to look back at, and costs the other processes nothing to find out.
        if await self._ledger.read(
            lambda database: _any_served(database, wanted) or is_anything_waiting(database, folder)
        ):
            await self._ledger.write(lambda database: _note(database, wanted, cause, until))

    async def announce(self, entry: Entry, name: str, value: str, projects: Collection[str] | None = None) -> bool:
        """Enter that a policy or a feed is another one than was entered last, and have served files looked at again."""
        present = "SELECT value FROM announced WHERE action = ? AND name = ?"
        last = await self._ledger.read(lambda database: database.execute(present, [entry.action, name]).fetchone())
        if last == (value,):
            return False

        def work(database: sqlite_utils.Database) -> bool:
            last = database.execute(present, [entry.action, name]).fetchone()
            if last == (value,):
                return False
            database.execute("REPLACE INTO announced VALUES (?, ?, ?)", [entry.action, name, value])
            append_entry(database, replace(entry, details=entry.details | ({"before": last[0]} if last else {})))
            if entry.index is None:
                # Those of an index are noted with the entry itself.
                _note(database, None if projects is None else sorted(projects), f"{entry.action} {name}", None)
            return True

        return await self._ledger.write(work)

    async def take(
        self, at: datetime, until: datetime, policies: Mapping[str, str] | None = None
    ) -> EvidenceChange | None:
        """Return a change to look at; until a moment it is nobody else's."""
        due = """
            SELECT min(number) FROM evidence_change WHERE (taken_until IS NULL OR taken_until <= ?) AND NOT EXISTS (
                SELECT 1 FROM announced JOIN json_each(?) AS mine ON name = mine.key
                WHERE announced.action = 'policy.changed' AND announced.value <> mine.value AND EXISTS (
                    SELECT 1 FROM audit_template AS said INDEXED BY audit_template_action
                    JOIN audit ON audit.template = said.id
                    WHERE said.action = announced.action AND said.action <> 'file.served'
                        AND said."index" = name AND audit.time > ?
                )
            )
        """
        values = [rfc3339(at), json.dumps(dict(policies or {})), rfc3339(at - HANDOVER)]
        # Nearly always there is none, which costs the other processes nothing to find out.
        (number,) = await self._ledger.read(lambda database: database.execute(due, values).fetchone())
        if number is None:
            return None

        def work(database: sqlite_utils.Database) -> EvidenceChange | None:
            row = database.execute(
                f"UPDATE evidence_change SET taken_until = ?, attempts = attempts + 1 WHERE number = ({due}) "  # noqa: S608 - made of constants
                "RETURNING number, cause, project, filename, sha256, attempts",
                [rfc3339(until), *values],
            ).fetchone()
            return None if row is None else EvidenceChange(*row)

        return await self._ledger.write(work)

    async def settle(self, number: int) -> None:
        """Forget a change that was looked at."""
        await self._ledger.write(
            lambda database: database.execute("DELETE FROM evidence_change WHERE number = ?", [number])
        )

    async def served(self, change: EvidenceChange) -> list[ServedFile]:
        """Return the served files that a change may be about."""
        named = (("sha256", change.sha256), ("filename", change.filename), ("project", change.project))
        column, text = next(((column, text) for column, text in named if text is not None), (None, None))
        if column is None:
            return []
        await settle(self._ledger)
        sql = f'SELECT "index", project, version, filename, sha256, refused FROM served_file WHERE {column} = ?'  # noqa: S608 - one of three names
        rows = await self._ledger.read(lambda database: database.execute(sql, [text]).fetchall())
        return [
            ServedFile(index, project, version, filename, sha256, bool(refused))
            for index, project, version, filename, sha256, refused in rows
        ]

    async def record(self, changed: Sequence[ChangedDecision], alert: Alert, receivers: Collection[str]) -> bool:
        """Enter changed decisions in the audit log and the alert in the outbox, in one transaction."""

        def work(database: sqlite_utils.Database) -> bool:
            if not all(_is_as_before(database, one.file) for one in changed):
                return False
            for one in changed:
                _turn(database, one.file)
                append_entry(database, one.entry, one.evidence)
            put(database, alert, receivers)
            return True

        return await self._ledger.write(work)


def _any_served(database: sqlite_utils.Database, projects: list[str] | None) -> bool:
    wanted = "" if projects is None else "WHERE project IN (SELECT value FROM json_each(?))"
    values = [] if projects is None else [json.dumps(projects)]
    return database.execute(f"SELECT 1 FROM served_file {wanted} LIMIT 1", values).fetchone() is not None  # noqa: S608 - values are bound


def _note(database: sqlite_utils.Database, projects: list[str] | None, cause: str, until: datetime | None) -> None:
    values = {"cause": cause, "until": until and rfc3339(until)}
    if projects is None:
        database.execute(f"WITH wanted AS ({_SERVED}) {_NOTE}", values)
    for project in projects or ():
        if until is None:
            database.execute(_INTENDED, [project, cause])
        wanted = f"WITH wanted AS ({_SERVED} WHERE project = :project)"
        database.execute(f"{wanted} {_NOTE}", values | {"project": project})


def _is_as_before(database: sqlite_utils.Database, file: ServedFile) -> bool:
    row = database.execute(
        'SELECT refused FROM served_file WHERE project = ? AND filename = ? AND sha256 = ? AND "index" = ?',
        [file.project, file.filename, file.sha256, file.index],
    ).fetchone()
    return row is not None and bool(row[0]) is file.refused


def _turn(database: sqlite_utils.Database, file: ServedFile) -> None:
    database.execute(
        'UPDATE served_file SET refused = ? WHERE project = ? AND filename = ? AND sha256 = ? AND "index" = ?',
        [int(not file.refused), file.project, file.filename, file.sha256, file.index],
    )
