"""The port to API tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pinfold.domain.access import Token
from pinfold.domain.audit_entry import Entry
from pinfold.domain.provenance import WorkflowPublisher
from pinfold.domain.trusted_publishing import Identity


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token with what its text is compared with."""

    token: Token
    sha256: bytes = field(repr=False)


class TokenStore(Protocol):
    """Tokens that any process may create and revoke; each change and its audit entry are one transaction.

    Every method raises StoreError when the store fails: who cannot be told apart is let in nowhere.
    """

    async def current(self) -> Mapping[str, KeptToken]:
        """Return the tokens by id, no staler than a fraction of a second whichever process changed them.

        Those that were revoked or have expired are among them, so that their holders can be told.
        """
        ...

    async def find(self, token_id: str) -> KeptToken | None:
        """Return a token as `current` has it; where it has none, look whether one was added this very moment.

        A workflow uses its token at once, and whichever process it asks must know it.
        """
        ...

    async def add(self, token: Token, sha256: bytes, entry: Entry) -> None:
        """Add a token, under an id that none has."""
        ...

    async def revoke(self, token_id: str, by: str, at: datetime, entry: Entry) -> None:
        """End a token; raises NotFound where none with the id stands."""
        ...

    async def exchange(
        self, token: Token, sha256: bytes, identity: Identity, publisher: WorkflowPublisher, entry: Entry
    ) -> None:
        """Add a token for an identity, and remember the ids of its repository and owner.

        Raises InvalidIdentity where the identity got a token before: what it was shown with may have been copied.
        """
        ...

    async def repository(self, issuer: str, name: str) -> WorkflowPublisher | None:
        """Return who published last from a repository of an issuer, by its name in any case; None for nobody."""
        ...

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep when tokens were last used, by id; never earlier than what is kept already."""
        ...

    async def history(self) -> list[Token]:
        """Return every token there ever was, oldest first, with their last uses."""
        ...
