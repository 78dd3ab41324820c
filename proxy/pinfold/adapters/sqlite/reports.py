"""Reports of inspections in the catalog's file."""

import zlib
from datetime import datetime

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.project_revisions import ProjectRevisions
from pinfold.audit.canonical import rfc3339
from pinfold.domain.errors import StoreError
from pinfold.domain.inspection import Report
from pinfold.ports.report_store import Inspected

_LARGEST = 64 << 20
"""Bytes of one report, unpacked; what claims to be larger is damaged."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Report)


class SqliteReportStore:
    """Reports, which all could be made again from the files."""

    def __init__(self, file: Database) -> None:
        self._file = file
        self._revisions = ProjectRevisions(file, "report")

    async def revision(self, project: str) -> int:
        """Return a number that grows with all that is remembered of a project; see `pinfold.ports.report_store`."""
        return await self._revisions.of(project)

    async def reports(self, project: str, after: int = 0) -> list[Inspected]:
        """Return the reports on a project's files that were remembered after a revision, oldest first."""
        if await self._revisions.of(project) <= after:
            return []

        def work(database: sqlite_utils.Database) -> list[Inspected]:
            rows = database.execute(
                "SELECT sha256, inspected_at, body FROM report WHERE project = ? AND id > ? ORDER BY id",
                [project, after],
            )
            return [Inspected(sha256, datetime.fromisoformat(at), _decode(body)) for sha256, at, body in rows]

        try:
            return await self._file.read(work)
        except (msgspec.DecodeError, zlib.error, ValueError) as error:
            raise StoreError(f"{self._file.path} has damaged reports on {project}: {error}") from error

    async def remember(self, inspected: Inspected) -> tuple[int, int]:
        """Keep a report in place of an earlier one on the same file; return the project's revision before and since."""
        report = inspected.report

        def work(database: sqlite_utils.Database) -> tuple[int, int]:
            sql = "SELECT coalesce(max(id), 0) FROM report WHERE project = ?"
            (before,) = database.execute(sql, [report.project]).fetchone()
            packed = zlib.compress(_encoder.encode(report))
            (since,) = database.execute(
                "REPLACE INTO report (project, filename, sha256, inspected_at, body) "
                "VALUES (?, ?, ?, ?, ?) RETURNING id",
                [report.project, report.filename, inspected.sha256, rfc3339(inspected.inspected_at), packed],
            ).fetchone()
            return before, since

        try:
            before, since = await self._file.write(work)
        except BaseException:
            # Who is cancelled does not learn whether it was kept.
            self._revisions.distrust()
            raise
        self._revisions.rise(report.project, since)
        return before, since


def _decode(body: bytes) -> Report:
    return _decoder.decode(zlib.decompressobj().decompress(body, _LARGEST))
