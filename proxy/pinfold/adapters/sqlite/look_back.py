"""What looking back needs to remember, in the ledger's file: both halves of each change are one transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlite_utils

from pinfold.adapters.sqlite.alerts import put
from pinfold.adapters.sqlite.audit_log import append_entry
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.evidence import KeptEvidence
from pinfold.audit.canonical import kept_text, rfc3339
from pinfold.domain.alert import Alert
from pinfold.ports.look_back import ChangedDecision, EvidenceChange, ServedFile

_IS_NOTED = """
    SELECT 1 FROM evidence_change AS noted
    WHERE noted.taken_until IS NULL AND noted.project = wanted.project AND noted.cause = :cause
        AND noted.filename IS NULL AND noted.sha256 IS NULL
"""
_NOTE = (
    f"INSERT INTO evidence_change (cause, project) SELECT :cause, project FROM wanted WHERE NOT EXISTS ({_IS_NOTED})"  # noqa: S608 - no value is in it
)


class SqliteLookBackStore:
    """Files that were served, and changes that nobody has looked at yet."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._evidence = KeptEvidence(ledger)

    async def note(self, projects: Collection[str] | None, cause: str) -> None:
        """Note that the evidence of some projects changed; None stands for all that files were served of."""
        cause = kept_text(cause)

        def work(database: sqlite_utils.Database) -> None:
            if projects is None:
                wanted = "WITH wanted AS (SELECT DISTINCT project FROM served_file) "
                database.execute(wanted + _NOTE, {"cause": cause})
            for project in sorted(projects or ()):
                # What nobody was served has nothing to look back at.
                wanted = "WITH wanted AS (SELECT project FROM served_file WHERE project = :project LIMIT 1) "
                database.execute(wanted + _NOTE, {"cause": cause, "project": project})

        await self._ledger.write(work)

    async def take(self, at: datetime, until: datetime) -> EvidenceChange | None:
        """Return a change to look at; until a moment it is nobody else's."""
        due = "SELECT min(number) FROM evidence_change WHERE taken_until IS NULL OR taken_until <= ?"
        # Nearly always there is none, which costs the other processes nothing to find out.
        (number,) = await self._ledger.read(lambda database: database.execute(due, [rfc3339(at)]).fetchone())
        if number is None:
            return None

        def work(database: sqlite_utils.Database) -> EvidenceChange | None:
            row = database.execute(
                f"UPDATE evidence_change SET taken_until = ?, attempts = attempts + 1 WHERE number = ({due}) "  # noqa: S608 - made of constants
                "RETURNING number, cause, project, filename, sha256, attempts",
                [rfc3339(until), rfc3339(at)],
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
        sql = f'SELECT "index", project, version, filename, sha256, refused FROM served_file WHERE {column} = ?'  # noqa: S608 - one of three names
        rows = await self._ledger.read(lambda database: database.execute(sql, [text]).fetchall())
        return [
            ServedFile(index, project, version, filename, sha256, bool(refused))
            for index, project, version, filename, sha256, refused in rows
        ]

    async def record(self, changed: Sequence[ChangedDecision], alert: Alert, receivers: Collection[str]) -> bool:
        """Enter changed decisions in the audit log and the alert in the outbox, in one transaction."""
        keeps = [self._evidence.keeping(one.entry.evidence_digest or "", one.evidence) for one in changed]

        def work(database: sqlite_utils.Database) -> bool:
            if not all(_is_as_before(database, one.file) for one in changed):
                return False
            for one, keep in zip(changed, keeps, strict=True):
                _turn(database, one.file)
                keep(database)
                append_entry(database, one.entry)
            put(database, alert, receivers)
            return True

        return await self._ledger.write(work)


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
