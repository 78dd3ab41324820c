"""Connect trusted publishing to those who vouch for workflows."""

from contextlib import AsyncExitStack

from pinfold.adapters.oidc.keys import IssuerKeys
from pinfold.adapters.oidc.verifier import OidcVerifier
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.transport import Transport
from pinfold.domain.access import Scope
from pinfold.domain.provenance import PublisherKind, PublisherPin
from pinfold.domain.trusted_publishing import ISSUERS, TrustedPublisher
from pinfold.ports.clock import Clock
from pinfold.ports.tokens import TokenStore
from pinfold.settings import Settings
from pinfold.settings.trusted_publishing import TrustedPublisherSettings
from pinfold.usecases.trusted_publishing import TrustedPublishing

PATIENCE = 10.0
"""Seconds that an issuer has for its keys, with all repetitions: a workflow waits for them."""


def open_trusted_publishing(
    settings: Settings, tokens: TokenStore, clock: Clock, stack: AsyncExitStack
) -> TrustedPublishing:
    """Return what exchanges identities of the workflows that the settings name, to be closed with `stack`."""
    publishers = [_publisher(each) for each in settings.trusted_publishing.publishers]
    issuers = {each.issuer: IssuerKeys(each.issuer, Transport(_options(each.issuer))) for each in publishers}
    verifier = OidcVerifier(issuers, settings.audience)
    stack.push_async_callback(verifier.aclose)
    return TrustedPublishing(publishers, settings.audience, verifier, tokens, clock)


def _publisher(settings: TrustedPublisherSettings) -> TrustedPublisher:
    kind = PublisherKind(settings.kind)
    return TrustedPublisher(
        issuer=settings.issuer or ISSUERS[kind],
        pin=PublisherPin(kind, settings.repository, settings.workflow, settings.environment),
        scope=Scope(settings.indexes, settings.projects),
        repository_id=settings.repository_id,
        owner_id=settings.owner_id,
    )


def _options(issuer: str) -> UpstreamOptions:
    return UpstreamOptions(issuer, f"{issuer}/", connect_timeout=3, idle_timeout=5, total_timeout=PATIENCE, retries=1)
