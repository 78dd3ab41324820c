"""Tokens: created with a secret that is shown once, and revoked."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from pinfold.domain.access import ANYTHING, Role, Scope, Token
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidName, InvalidRecord, NotFound
from pinfold.domain.names import normalise_glob
from pinfold.domain.records import new_record_id
from pinfold.domain.token_text import read_token, write_token
from pinfold.ports.clock import Clock
from pinfold.ports.tokens import TokenStore

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/+-]{0,63}", re.ASCII)
_INDEX_GLOB = re.compile(r"[a-z0-9*?-]+", re.ASCII)
_WHOLE_INDEXES = frozenset({Role.AUDITOR, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token on its way to its holder."""

    token: Token
    text: str = field(repr=False)
    """The secret. It exists nowhere else, and cannot be had again."""

    @property
    def sha256(self) -> bytes:
        """What is kept of the text."""
        return hashlib.sha256(self.text.encode()).digest()


class Tokens:
    """Creates and revokes tokens; each act is audited in the same transaction. Every method raises StoreError."""

    def __init__(self, tokens: TokenStore, clock: Clock, indexes: Collection[str]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._indexes = indexes

    async def create(self, name: str, role: Role, scope: Scope, expires_at: datetime | None, actor: Actor) -> NewToken:
        """Create a token.

        Raises InvalidRecord for a name that is taken or none, a scope that nothing here could ever be in, and an end
        that is over.
        """
        now = self._clock.now()
        if not _NAME.fullmatch(name) or name == Actor().name:
            raise InvalidRecord(f"{name[:80]!r} is no name for a token: use up to 64 letters, digits and .-_@/+")
        if expires_at is not None and expires_at <= now:
            raise InvalidRecord(f"a token cannot expire in the past: {expires_at:%Y-%m-%d %H:%M} UTC is over")
        for kept in (await self._tokens.current()).values():
            if kept.token.name == name and kept.token.stands_at(now):
                raise InvalidRecord(f"{kept.token.id} is called {name!r} already: revoke it, or choose another name")
        token = Token(new_record_id("T"), name, role, self._checked(role, scope), actor.name, now, expires_at)
        new = NewToken(token, write_token(token.id))
        entry = Entry(Action.TOKEN_CREATE, now, actor, reference=token.id, details=token_details(token))
        await self._tokens.add(token, new.sha256, entry)
        return new

    async def revoke(self, token_id: str, actor: Actor) -> Token:
        """End a token at once; raises NotFound, or InvalidRecord where it has ended already.

        The whole text of a token does for its id, so that one that was found somewhere can be revoked as it is.
        """
        text, now = read_token(token_id), self._clock.now()
        token_id = text.id if text is not None else token_id.upper()
        kept = (await self._tokens.current()).get(token_id)
        if kept is None:
            raise NotFound(f"there is no token {token_id[:20]}")
        token = kept.token
        if token.revoked_at is not None:
            raise InvalidRecord(
                f"{token.id} was revoked by {token.revoked_by} at {token.revoked_at:%Y-%m-%d %H:%M} UTC"
            )
        if not token.stands_at(now):
            raise InvalidRecord(f"{token.id} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC: nothing to revoke")
        entry = Entry(Action.TOKEN_REVOKE, now, actor, reference=token.id, details=token_details(token))
        await self._tokens.revoke(token.id, actor.name, now, entry)
        return token

    def _checked(self, role: Role, scope: Scope) -> Scope:
        """Return a scope in normalised spelling."""
        if role in _WHOLE_INDEXES and scope.projects != (ANYTHING,):
            raise InvalidRecord(f"the role {role} is for whole indexes: leave projects out")
        for glob in scope.indexes:
            if not _INDEX_GLOB.fullmatch(glob) or not any(fnmatchcase(index, glob) for index in self._indexes):
                raise InvalidRecord(f"no index is called {glob[:80]!r}; known: {', '.join(sorted(self._indexes))}")
        try:
            return Scope(scope.indexes, tuple(normalise_glob(glob) for glob in scope.projects))
        except InvalidName as error:
            raise InvalidRecord(str(error)) from error


def token_details(token: Token) -> dict[str, Any]:
    """Return what the audit log tells of a token that is created or revoked."""
    return {
        "name": token.name,
        "role": token.role.value,
        "indexes": list(token.scope.indexes),
        "projects": list(token.scope.projects),
        "expires_at": token.expires_at.isoformat() if token.expires_at else "never",
    }
