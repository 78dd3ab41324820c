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

    async def remember(self, inspected: Inspected) -> None:
        """Keep a report in place of an earlier one on the same file."""
        report = inspected.report
        packed = zlib.compress(_encoder.encode(report))
        row = [report.project, report.filename, inspected.sha256, rfc3339(inspected.inspected_at), packed]

        def work(database: sqlite_utils.Database) -> None:
            database.execute(
                "REPLACE INTO report (project, filename, sha256, inspected_at, body) VALUES (?, ?, ?, ?, ?)", row
            )

        try:
            await self._file.write(work)
        finally:
            self._revisions.distrust()


def _decode(body: bytes) -> Report:
    return _decoder.decode(zlib.decompressobj().decompress(body, _LARGEST))
