"""What was published here, in the ledger's file; claims are kept in memory for as long as nobody changes them."""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

import sqlite_utils

from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.audit.canonical import rfc3339
from pinfold.domain.audit_entry import Action, Entry
from pinfold.domain.errors import AlreadyPublished, NotFound, StoreError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.domain.published import Claim, ClaimedProject, Claims, Deletion, PublishedFile, PublishedProject
from pinfold.usecases.kept import Kept

T = TypeVar("T")
Row = dict[str, Any]

_FILES = 'SELECT *, provenance IS NOT NULL AS attested FROM published_file WHERE "index" = ?'


class SqlitePublishedStore:
    """Files and claims beside the audit log that each change of them is entered in."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._claims = Kept(self._look, Claims(revision=-1), self._ledger.present)

    async def current(self) -> Claims:
        """Return all claims; without a look at the file where one was taken just now."""
        return await self._claims.current()

    async def project(self, index: str, project: str) -> PublishedProject | None:
        """Return everything that was published under a name of an index, as of one moment."""

        def work(database: sqlite_utils.Database) -> PublishedProject | None:
            claimed = database.execute(
                'SELECT revision FROM published_project WHERE "index" = ? AND project = ?', [index, project]
            ).fetchone()
            if claimed is None:
                return None
            rows = database.query(f"{_FILES} AND project = ? ORDER BY number", [index, project])
            return PublishedProject(claimed[0], tuple(_read_file(row) for row in rows))

        return await self._read(work)

    async def slot(self, index: str, slot: str) -> PublishedFile | None:
        """Return the file that took a slot of an index, deleted or not."""
        return await self._read(lambda database: _in_slot(database, index, slot))

    async def publish(
        self, published: PublishedFile, provenance: bytes | None, claim: Claim, entries: Collection[Entry]
    ) -> None:
        """Make a file visible, and claim its project's name unless that is done."""
        row = _file_row(published, provenance)

        def work(database: sqlite_utils.Database) -> None:
            taken = _in_slot(database, published.index, published.slot)
            if taken is not None:
                raise AlreadyPublished(f"{taken.file.filename} took the place of {published.file.filename}")
            claimed = database.execute(
                'INSERT OR IGNORE INTO published_project ("index", project, claimed_at, claimed_by, namesakes, '
                "revision) VALUES (?, ?, ?, ?, ?, 0)",
                [claim.index, claim.project, rfc3339(claim.at), claim.by, json.dumps(claim.namesakes)],
            ).rowcount
            database.table("published_file").insert(row)
            _touch(database, published.index, published.project)
            for entry in entries:
                if claimed or entry.action is not Action.PROJECT_CLAIMED:
                    append_entry(database, entry)

        await self._change(work)

    async def yank(
        self, index: str, project: str, yanked: Mapping[str, str | None], entries: Collection[Entry]
    ) -> None:
        """Set why files are yanked; None takes it back."""

        def set_yanked(database: sqlite_utils.Database, filename: str) -> int:
            return database.execute(
                'UPDATE published_file SET yanked = ? WHERE "index" = ? AND project = ? AND filename = ? '
                "AND deleted_at IS NULL",
                [yanked[filename], index, project, filename],
            ).rowcount

        await self._change_files(index, project, yanked, set_yanked, entries)

    async def delete(
        self, index: str, project: str, filenames: Collection[str], deletion: Deletion, entries: Collection[Entry]
    ) -> None:
        """Take files away for good; their slots stay taken."""

        def set_deleted(database: sqlite_utils.Database, filename: str) -> int:
            return database.execute(
                "UPDATE published_file SET deleted_at = ?, deleted_by = ?, deletion_reason = ? "
                'WHERE "index" = ? AND project = ? AND filename = ? AND deleted_at IS NULL',
                [rfc3339(deletion.at), deletion.by, deletion.reason, index, project, filename],
            ).rowcount

        await self._change_files(index, project, filenames, set_deleted, entries)

    async def provenance(self, index: str, filename: str) -> bytes | None:
        """Return the provenance that a file came with, if it came with any."""
        row = await self._ledger.read(
            lambda database: database.execute(
                'SELECT provenance FROM published_file WHERE "index" = ? AND filename = ? AND deleted_at IS NULL',
                [index, filename],
            ).fetchone()
        )
        return row[0] if row is not None else None

    async def _look(self, kept: Claims) -> Claims:
        return await self._read(lambda database: _claims(database, kept))

    async def _change_files(
        self,
        index: str,
        project: str,
        filenames: Collection[str],
        change: Callable[[sqlite_utils.Database, str], int],
        entries: Collection[Entry],
    ) -> None:
        def work(database: sqlite_utils.Database) -> None:
            for filename in filenames:
                if not change(database, filename):
                    raise NotFound(f"index {index} has no file {filename} of {project}")
            _touch(database, index, project)
            for entry in entries:
                append_entry(database, entry)

        await self._change(work)

    async def _change(self, work: Work[None]) -> None:
        try:
            await self._ledger.write(work)
        finally:
            self._claims.distrust()

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} has a damaged record: {error}; restore it from a backup") from error


def _claims(database: sqlite_utils.Database, kept: Claims) -> Claims:
    (revision,) = database.execute("SELECT number FROM published_revision").fetchone()
    if revision == kept.revision:
        return kept
    projects = {}
    for row in database.query("SELECT * FROM published_project"):
        claim = Claim(
            row["index"],
            row["project"],
            datetime.fromisoformat(row["claimed_at"]),
            row["claimed_by"],
            tuple(json.loads(row["namesakes"])),
        )
        projects[claim.index, claim.project] = ClaimedProject(claim, row["revision"])
    return Claims(revision, projects)


def _touch(database: sqlite_utils.Database, index: str, project: str) -> None:
    database.execute("UPDATE published_revision SET number = number + 1")
    database.execute(
        "UPDATE published_project SET revision = (SELECT number FROM published_revision) "
        'WHERE "index" = ? AND project = ?',
        [index, project],
    )


def _in_slot(database: sqlite_utils.Database, index: str, slot: str) -> PublishedFile | None:
    return next((_read_file(row) for row in database.query(f"{_FILES} AND slot = ?", [index, slot])), None)


def _file_row(published: PublishedFile, provenance: bytes | None) -> Row:
    file = published.file
    if file.upload_time is None or file.size is None or file.version is None:
        raise ValueError("a published file has a version, a size and an upload time")
    return {
        "index": published.index,
        "project": published.project,
        "slot": published.slot,
        "filename": file.filename,
        "kind": file.kind.value,
        "version": file.version,
        "sha256": file.sha256,
        "size": file.size,
        "uploaded_at": rfc3339(file.upload_time),
        "uploaded_by": published.by,
        "requires_python": file.requires_python,
        "core_metadata": file.core_metadata or None,
        "provenance": provenance,
    }


def _read_file(row: Row) -> PublishedFile:
    """Return the file that a row holds; raise ValueError where it holds none."""
    index, filename = row["index"], row["filename"]
    file = File(
        filename=filename,
        url=f"published:{index}/{filename}",
        sha256=row["sha256"],
        kind=FileKind(row["kind"]),
        version=row["version"],
        size=row["size"],
        upload_time=datetime.fromisoformat(row["uploaded_at"]),
        requires_python=row["requires_python"],
        yanked=row["yanked"],
        core_metadata=row["core_metadata"] or False,
        # First-hand knowledge: where no attestation came with a file, there is none.
        provenance=f"published:{index}/{filename}.provenance" if row["attested"] else True,
    )
    deletion = None
    if row["deleted_at"] is not None:
        deletion = Deletion(datetime.fromisoformat(row["deleted_at"]), row["deleted_by"], row["deletion_reason"])
    return PublishedFile(index, row["project"], file, row["slot"], row["uploaded_by"], deletion)
