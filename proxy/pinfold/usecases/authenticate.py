"""Who asks: from a credential to a principal, without a query for any single request."""

import hmac
from datetime import datetime
from typing import NoReturn

from pinfold.domain.access import Principal, Token
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import AccessDenied, TooManyAttempts
from pinfold.domain.token_text import PREFIX, read_token
from pinfold.ports.audit_log import AuditLog
from pinfold.ports.clock import Clock
from pinfold.ports.tokens import TokenStore
from pinfold.usecases.failed_attempts import FailedAttempts
from pinfold.usecases.token_uses import TokenUses

_NO_HASH = bytes(32)


class Authenticate:
    """Tells who holds a token, and turns away those who only claim to."""

    def __init__(
        self,
        tokens: TokenStore,
        uses: TokenUses,
        attempts: FailedAttempts,
        log: AuditLog,
        clock: Clock,
        open_indexes: frozenset[str],
    ) -> None:
        self._tokens = tokens
        self._uses = uses
        self._attempts = attempts
        self._log = log
        self._clock = clock
        self.anonymous = Principal(None, open_indexes)
        """Nobody in particular."""

    async def principal(self, credential: str, actor: Actor) -> Principal:
        """Return who sent a credential; nobody in particular where it is none of Pinfold's.

        What a front, a netrc file or another index's settings bring along must not keep anybody from what is open to
        all. A token that does not hold is another matter: its holder counts on it. Raises AccessDenied for it,
        TooManyAttempts where too many failed before, and StoreError where nobody can be told apart.
        """
        if not credential.startswith(PREFIX):
            return self.anonymous
        text, now = read_token(credential), self._clock.now()
        kept = await self._tokens.find(text.id) if text is not None else None
        # An unknown id is compared as well, so that the time it takes does not tell which ids exist.
        proven = hmac.compare_digest(kept.sha256 if kept else _NO_HASH, text.sha256 if text else b"")
        if kept is None or not proven:
            why = "there is no such token" if text else "the token was mistyped or cut off: its checksum is wrong"
            await self.fail(actor, why, text.id if text else None)
        if (ended := _ended(kept.token, now)) is not None:
            await self.fail(actor, ended, kept.token.id)
        self._uses.note(kept.token.id, now)
        return Principal(kept.token, self.anonymous.open_indexes)

    def note_use(self, token_id: str) -> None:
        """Note that a token which was let in is used again, without a look at it."""
        self._uses.note(token_id, self._clock.now())

    def heed_limit(self, address: str | None) -> None:
        """Raise TooManyAttempts for an address that is not heard now; for what costs more than a comparison."""
        if retry_after := self._attempts.retry_after(address):
            raise TooManyAttempts("too many attempts failed from this address", retry_after)

    async def fail(self, actor: Actor, why: str, token_id: str | None = None) -> NoReturn:
        """Count a failed attempt, and raise what it is answered with."""
        await self.count(actor, why, token_id)
        raise AccessDenied(why)

    async def count(self, actor: Actor, why: str, token_id: str | None = None) -> None:
        """Count a failed attempt, record the first of an address and window, and raise TooManyAttempts after many.

        A secret has too many bits to be guessed. The limit is for the log and for whoever reads it, and a token that
        holds is let in also from an address where others fail: behind one there may be a whole office.
        """
        failure = self._attempts.add(actor.address)
        if failure.to_be_recorded:
            details = {"why": why}
            await self._log.append(
                Entry(Action.ACCESS_REFUSED, self._clock.now(), actor, reference=token_id, details=details)
            )
        if failure.retry_after:
            raise TooManyAttempts(f"{why}; too many attempts failed from this address", failure.retry_after)


def _ended(token: Token, now: datetime) -> str | None:
    """Return why a token holds no more; None where it does."""
    if token.revoked_at is not None:
        return f"token {token.id} was revoked on {token.revoked_at:%Y-%m-%d}"
    if not token.stands_at(now):
        return f"token {token.id} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC"
    return None
