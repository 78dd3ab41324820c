"""Trusted publishing: a workflow shows who it is, and gets a short-lived token to publish with."""

from collections.abc import Sequence
from dataclasses import replace

from pinfold.domain.access import Role, Token
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidIdentity, UnknownPublisher
from pinfold.domain.provenance import WorkflowPublisher
from pinfold.domain.records import new_record_id
from pinfold.domain.token_text import write_token
from pinfold.domain.trusted_publishing import LIFETIME, Identity, TrustedPublisher, publisher_of
from pinfold.ports.clock import Clock
from pinfold.ports.identities import IdentityVerifier
from pinfold.ports.tokens import TokenStore
from pinfold.usecases.tokens import NewToken, token_details

_TOLD = ("ref", "ref_path", "sha", "run_id", "pipeline_id", "job_id", "actor", "user_login", "event_name")
"""Claims that the audit log keeps, besides the workflow itself."""


class TrustedPublishing:
    """Exchanges identities for tokens."""

    def __init__(
        self,
        publishers: Sequence[TrustedPublisher],
        audience: str,
        identities: IdentityVerifier,
        tokens: TokenStore,
        clock: Clock,
    ) -> None:
        self._publishers = publishers
        self._identities = identities
        self._tokens = tokens
        self._clock = clock
        self.audience = audience
        """Whom workflows have to have their identities made for: this installation, and no other."""

    @property
    def offered(self) -> bool:
        """Whether there is anybody who may publish so."""
        return bool(self._publishers)

    @property
    def issuers(self) -> list[str]:
        """Those who vouch for the workflows that may publish."""
        return sorted({each.issuer for each in self._publishers})

    async def ask(self, issuer: str) -> None:
        """See that an issuer's keys can be had; raises UpstreamError where they cannot."""
        await self._identities.ask(issuer)

    async def mint(self, assertion: str, actor: Actor) -> NewToken:
        """Return a token for a workflow that shows an identity.

        Raises InvalidIdentity for one that does not hold, UnknownPublisher where the workflow may not publish here,
        UpstreamError where its issuer cannot be asked, and StoreError.
        """
        identity = await self._identities.verify(assertion)
        trusted, publisher = self._trusted(identity)
        seen = await self._tokens.repository(identity.issuer, publisher.repository)
        if not trusted.takes_for_its_own(publisher, seen):
            raise UnknownPublisher(
                f"{publisher.repository} has the id {publisher.repository_id} and its owner {publisher.owner_id}: not "
                "those it had before; if both are right, write them as repository_id and owner_id"
            )
        now = self._clock.now()
        token = Token(
            id=new_record_id("T"),
            name=str(publisher),
            role=Role.PUBLISHER,
            scope=trusted.scope,
            created_by=identity.issuer,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        new = NewToken(token, write_token(token.id))
        details = {**token_details(token), "publisher": _document(publisher), "claims": _told(identity)}
        entry = Entry(Action.TOKEN_MINT, now, replace(actor, name=token.name), reference=token.id, details=details)
        await self._tokens.exchange(token, new.sha256, identity, publisher, entry)
        return new

    def _trusted(self, identity: Identity) -> tuple[TrustedPublisher, WorkflowPublisher]:
        """Return the entry of the settings that means a workflow, with an environment before one without."""
        candidates = [each for each in self._publishers if each.issuer == identity.issuer]
        if not candidates:
            raise InvalidIdentity("its issuer is none that is trusted here")
        publisher = publisher_of(candidates[0].pin.kind, identity)
        admitting = [each for each in candidates if each.admits(publisher)]
        if not admitting:
            environment = f" in {publisher.environment.name}" if publisher.environment else ""
            raise UnknownPublisher(f"nothing here trusts {publisher}{environment}")
        return max(admitting, key=lambda each: each.pin.environment is not None), publisher


def _document(publisher: WorkflowPublisher) -> dict[str, str]:
    return {
        "kind": publisher.kind.value,
        "repository": publisher.repository,
        "workflow": publisher.workflow,
        "environment": publisher.environment.name if publisher.environment else "",
        "repository_id": publisher.repository_id or "",
        "owner_id": publisher.owner_id or "",
    }


def _told(identity: Identity) -> dict[str, str]:
    return {name: str(identity.claims[name]) for name in _TOLD if isinstance(identity.claims.get(name), str | int)}
