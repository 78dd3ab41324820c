"""Identities of workflows in the ledger's file: which were exchanged for a token, and whose repositories they were."""

from datetime import datetime, timedelta

import sqlite_utils

from pinfold.audit.canonical import rfc3339
from pinfold.domain.errors import InvalidIdentity
from pinfold.domain.provenance import PublisherKind, WorkflowPublisher
from pinfold.domain.trusted_publishing import Identity

SLACK = timedelta(hours=1)
"""How much longer than it holds an identity is remembered, for clocks that differ or are set back."""


def use_identity(database: sqlite_utils.Database, identity: Identity, now: datetime) -> None:
    """Note that an identity was exchanged; raise InvalidIdentity where it was before."""
    database.execute("DELETE FROM exchanged_identity WHERE expires_at < ?", [rfc3339(now - SLACK)])
    noted = database.execute(
        "INSERT OR IGNORE INTO exchanged_identity VALUES (?, ?, ?)",
        [identity.issuer, identity.token_id, rfc3339(identity.expires_at)],
    )
    if not noted.rowcount:
        raise InvalidIdentity("it was exchanged for a token before")


def remember_repository(database: sqlite_utils.Database, issuer: str, publisher: WorkflowPublisher) -> None:
    """Remember the ids of a repository and its owner under the repository's name."""
    database.execute(
        "INSERT OR REPLACE INTO trusted_repository VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            issuer,
            publisher.repository.lower(),
            publisher.kind.value,
            publisher.repository,
            publisher.workflow,
            publisher.repository_id,
            publisher.owner_id,
        ],
    )


def find_repository(database: sqlite_utils.Database, issuer: str, name: str) -> WorkflowPublisher | None:
    """Return who published last from a repository; None for nobody."""
    row = database.execute(
        "SELECT kind, spelling, workflow, repository_id, owner_id FROM trusted_repository "
        "WHERE issuer = ? AND name = ?",
        [issuer, name.lower()],
    ).fetchone()
    if row is None:
        return None
    kind, spelling, workflow, repository_id, owner_id = row
    return WorkflowPublisher(PublisherKind(kind), spelling, workflow, None, repository_id, owner_id)
