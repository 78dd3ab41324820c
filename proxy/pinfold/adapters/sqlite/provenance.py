"""Verified provenance in the catalog's file."""

import zlib
from datetime import datetime
from typing import Literal

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.project_revisions import ProjectRevisions
from pinfold.audit.canonical import rfc3339
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Item, Known, Unknown
from pinfold.domain.provenance import (
    AccountPublisher,
    Attestation,
    Invalid,
    Predicate,
    Provenance,
    Unattested,
    Verified,
    WorkflowPublisher,
)
from pinfold.ports.provenance_store import Checked


class _Attestation(msgspec.Struct, omit_defaults=True):
    predicate: Predicate
    logged_at: datetime
    workflow: WorkflowPublisher | None = None
    account: AccountPublisher | None = None


class _Result(msgspec.Struct, omit_defaults=True):
    outcome: Literal["verified", "invalid", "unattested", "unknown"]
    why: str = ""
    attestations: tuple[_Attestation, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Result)


class SqliteProvenanceStore:
    """Results and documents, which all could be fetched and verified again."""

    def __init__(self, file: Database) -> None:
        self._file = file
        self._revisions = ProjectRevisions(file, "provenance")

    async def revision(self, project: str) -> int:
        """Return a number that grows with all that is remembered of a project; see `pinfold.ports.provenance_store`."""
        return await self._revisions.of(project)

    async def results(self, project: str, after: int = 0) -> list[Checked]:
        """Return what was found out of a project's files after a revision, oldest first."""
        if await self._revisions.of(project) <= after:
            return []

        def work(database: sqlite_utils.Database) -> list[Checked]:
            rows = database.execute(
                "SELECT filename, sha256, document, trust_root, checked_at, result "
                "FROM provenance WHERE project = ? AND id > ? ORDER BY id",
                [project, after],
            )
            return [
                Checked(filename, sha256, document, trust_root, datetime.fromisoformat(at), _decode(result))
                for filename, sha256, document, trust_root, at, result in rows
            ]

        try:
            return await self._file.read(work)
        except (msgspec.DecodeError, ValueError) as error:
            raise StoreError(f"{self._file.path} has damaged provenance of {project}: {error}") from error

    async def remember(self, project: str, checked: Checked, content: bytes) -> None:
        """Keep a result and the content of its document."""
        keys = [project, checked.filename, checked.sha256, checked.document, checked.trust_root]
        row = [*keys, rfc3339(checked.checked_at), _encode(checked.result)]
        packed = zlib.compress(content)

        def work(database: sqlite_utils.Database) -> None:
            database.execute("INSERT OR IGNORE INTO provenance_document VALUES (?, ?)", [checked.document, packed])
            database.execute(
                "REPLACE INTO provenance (project, filename, sha256, document, trust_root, checked_at, result) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

        try:
            await self._file.write(work)
        finally:
            self._revisions.distrust()

    async def document(self, digest: str) -> bytes | None:
        """Return a document by its sha256, or None where it is not kept."""
        row = await self._file.read(
            lambda database: database.execute(
                "SELECT content FROM provenance_document WHERE digest = ?", [digest]
            ).fetchone()
        )
        try:
            return zlib.decompress(row[0]) if row else None
        except zlib.error as error:
            raise StoreError(f"{self._file.path} has a damaged provenance document: {error}") from error


def _encode(result: Item[Provenance]) -> bytes:
    return _encoder.encode(_stored(result))


def _stored(result: Item[Provenance]) -> _Result:
    if isinstance(result, Unknown):
        return _Result("unknown", result.why)
    match result.value:
        case Verified(attestations):
            return _Result("verified", attestations=tuple(map(_stored_attestation, attestations)))
        case Invalid(why):
            return _Result("invalid", why)
        case Unattested():
            return _Result("unattested")


def _stored_attestation(attestation: Attestation) -> _Attestation:
    publisher = attestation.publisher
    workflow, account = (publisher, None) if isinstance(publisher, WorkflowPublisher) else (None, publisher)
    return _Attestation(attestation.predicate, attestation.logged_at, workflow, account)


def _decode(stored: bytes) -> Item[Provenance]:
    result = _decoder.decode(stored)
    match result.outcome:
        case "verified":
            return Known(Verified(tuple(map(_attestation, result.attestations))))
        case "invalid":
            return Known(Invalid(result.why))
        case "unattested":
            return Known(Unattested())
        case "unknown":
            return Unknown(result.why)


def _attestation(stored: _Attestation) -> Attestation:
    publisher = stored.workflow or stored.account
    if publisher is None:
        raise ValueError("an attestation without a publisher")
    return Attestation(stored.predicate, publisher, stored.logged_at)
