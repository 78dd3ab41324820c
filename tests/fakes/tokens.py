"""API tokens in memory."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pinfold.domain.access import Token
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import InvalidIdentity, NotFound, StoreError
from pinfold.domain.provenance import WorkflowPublisher
from pinfold.domain.trusted_publishing import LIFETIME, Identity
from pinfold.ports.tokens import KeptToken


class FakeTokenStore:
    """Keeps everything, with the entries that came along in `audited`. It raises `failure`, where it is set."""

    def __init__(self) -> None:
        self.audited: list[Entry] = []
        self.failure: StoreError | None = None
        self._tokens: dict[str, KeptToken] = {}
        self._exchanged: set[tuple[str, str]] = set()
        self._repositories: dict[tuple[str, str], WorkflowPublisher] = {}

    async def current(self) -> Mapping[str, KeptToken]:
        self._may_fail()
        return dict(self._tokens)

    async def find(self, token_id: str) -> KeptToken | None:
        self._may_fail()
        return self._tokens.get(token_id)

    async def add(self, token: Token, sha256: bytes, entry: Entry) -> None:
        self._may_fail()
        if token.id in self._tokens:
            raise StoreError(f"there is a {token.id} already")
        self._tokens[token.id] = KeptToken(token, sha256)
        self.audited.append(entry)

    async def revoke(self, token_id: str, by: str, at: datetime, entry: Entry) -> None:
        self._may_fail()
        kept = self._tokens.get(token_id)
        if kept is None or not kept.token.stands_at(at):
            raise NotFound(f"no token {token_id} stands")
        self._tokens[token_id] = replace(kept, token=replace(kept.token, revoked_at=at, revoked_by=by))
        self.audited.append(entry)

    async def exchange(
        self, token: Token, sha256: bytes, identity: Identity, publisher: WorkflowPublisher, entry: Entry
    ) -> None:
        self._may_fail()
        if (identity.issuer, identity.token_id) in self._exchanged:
            raise InvalidIdentity("it was exchanged before")
        await self.add(token, sha256, entry)
        self._exchanged.add((identity.issuer, identity.token_id))
        self._repositories[identity.issuer, publisher.repository.lower()] = replace(publisher, environment=None)
        long_ago = token.created_at - timedelta(days=1)
        for old in [kept.token for kept in self._tokens.values()]:
            if old.expires_at and old.expires_at < long_ago and old.expires_at - old.created_at <= LIFETIME:
                del self._tokens[old.id]

    async def repository(self, issuer: str, name: str) -> WorkflowPublisher | None:
        self._may_fail()
        return self._repositories.get((issuer, name.lower()))

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        self._may_fail()
        for token_id, at in uses.items():
            if token_id not in self._tokens:
                continue
            kept = self._tokens[token_id]
            last = max(kept.token.last_used_at or at, at)
            self._tokens[token_id] = replace(kept, token=replace(kept.token, last_used_at=last))

    async def history(self) -> list[Token]:
        self._may_fail()
        return [kept.token for kept in self._tokens.values()]

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
