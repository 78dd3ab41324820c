"""API tokens in SQLite, kept in memory for as long as nobody changes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.database import Database, Work
from pinfold.adapters.sqlite.identities import find_repository, remember_repository, use_identity
from pinfold.audit.canonical import rfc3339
from pinfold.domain.access import Role, Scope, Token
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import NotFound, StoreError
from pinfold.domain.provenance import WorkflowPublisher
from pinfold.domain.trusted_publishing import LIFETIME, Identity
from pinfold.ports.tokens import KeptToken
from pinfold.usecases.kept import Kept

REMEMBERED = timedelta(days=1)
"""How long a short-lived token that has ended can still be told from one that never was."""


@dataclass(frozen=True, slots=True)
class _Tokens:
    revision: int = -1
    by_id: Mapping[str, KeptToken] = field(default_factory=dict)


class SqliteTokenStore:
    """The tokens in the ledger's file, beside the audit log that each change of them is entered in."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._kept = Kept(self._look, _Tokens(), self._ledger.present)

    async def current(self) -> Mapping[str, KeptToken]:
        """Return the tokens by id; without a look at the file where one was taken just now."""
        return (await self._kept.current()).by_id

    async def find(self, token_id: str) -> KeptToken | None:
        """Return a token by its id; one that is not known is looked for anew."""
        return (await self.current()).get(token_id) or (await self._kept.renewed()).by_id.get(token_id)

    async def add(self, token: Token, sha256: bytes, entry: Entry) -> None:
        """Add a token."""
        await self._change(lambda database: _insert(database, token, sha256), entry)

    async def revoke(self, token_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a token; raises NotFound where none with the id stands."""

        def work(database: sqlite_utils.Database) -> None:
            revoked = database.execute(
                "UPDATE token SET revoked_at = :at, revoked_by = :by "
                "WHERE id = :id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)",
                {"id": token_id, "by": by, "at": rfc3339(at)},
            )
            if not revoked.rowcount:
                raise NotFound(f"no token {token_id!r} stands")

        await self._change(work, entry)

    async def exchange(
        self, token: Token, sha256: bytes, identity: Identity, publisher: WorkflowPublisher, entry: Entry
    ) -> None:
        """Add a token for an identity, and remember whose it was; raises InvalidIdentity where it got one before."""

        def work(database: sqlite_utils.Database) -> None:
            use_identity(database, identity, token.created_at)
            remember_repository(database, identity.issuer, publisher)
            _forget_ended(database, token.created_at)
            _insert(database, token, sha256)

        await self._change(work, entry)

    async def repository(self, issuer: str, name: str) -> WorkflowPublisher | None:
        """Return who published last from a repository; None for nobody."""
        return await self._ledger.read(lambda database: find_repository(database, issuer, name))

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep when tokens were last used; nobody who verifies them has to know, so that the revision stays."""

        def work(database: sqlite_utils.Database) -> None:
            database.conn.executemany(
                "UPDATE token SET last_used_at = max(coalesce(last_used_at, ''), ?) WHERE id = ?",
                [(rfc3339(at), token_id) for token_id, at in uses.items()],
            )

        await self._ledger.write(work)

    async def history(self) -> list[Token]:
        """Return every token there ever was, oldest first, with their last uses."""
        try:
            return [kept.token for kept in await self._ledger.read(_all)]
        except ValueError as error:
            raise self._damaged(error) from error

    async def _look(self, kept: _Tokens) -> _Tokens:
        def work(database: sqlite_utils.Database) -> _Tokens:
            (revision,) = database.execute("SELECT number FROM token_revision").fetchone()
            if revision == kept.revision:
                return kept
            return _Tokens(revision, {one.token.id: one for one in _all(database)})

        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise self._damaged(error) from error

    async def _change(self, work: Work[None], entry: Entry) -> None:
        def change(database: sqlite_utils.Database) -> None:
            work(database)
            database.execute("UPDATE token_revision SET number = number + 1")
            append_entry(database, entry)

        try:
            await self._ledger.write(change)
        finally:
            self._kept.distrust()

    def _damaged(self, error: ValueError) -> StoreError:
        return StoreError(f"{self._ledger.path} has a damaged token: {error}; restore it from a backup")


def _insert(database: sqlite_utils.Database, token: Token, sha256: bytes) -> None:
    row = msgspec.to_builtins(token)
    scope = row.pop("scope")
    database.table("token").insert(
        {
            **row,
            "sha256": sha256,
            "indexes": " ".join(scope["indexes"]),
            "projects": " ".join(scope["projects"]),
            "created_at": rfc3339(token.created_at),
            "expires_at": token.expires_at and rfc3339(token.expires_at),
        }
    )


def _forget_ended(database: sqlite_utils.Database, now: datetime) -> None:
    """Delete short-lived tokens that ended long ago, of which every publish leaves one; the audit log has them all."""
    database.execute(
        "DELETE FROM token WHERE expires_at < ? AND unixepoch(expires_at) - unixepoch(created_at) <= ?",
        [rfc3339(now - REMEMBERED), LIFETIME.total_seconds()],
    )


def _all(database: sqlite_utils.Database) -> list[KeptToken]:
    return [
        KeptToken(
            Token(
                id=row["id"],
                name=row["name"],
                role=Role(row["role"]),
                scope=Scope(tuple(row["indexes"].split()), tuple(row["projects"].split())),
                created_by=row["created_by"],
                created_at=datetime.fromisoformat(row["created_at"]),
                expires_at=_moment(row["expires_at"]),
                revoked_at=_moment(row["revoked_at"]),
                revoked_by=row["revoked_by"],
                last_used_at=_moment(row["last_used_at"]),
            ),
            row["sha256"],
        )
        for row in database.query("SELECT * FROM token ORDER BY rowid")
    ]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
