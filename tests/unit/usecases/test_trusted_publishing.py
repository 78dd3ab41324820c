from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.oidc import AUDIENCE, FakeIssuer
from tests.fakes.tokens import FakeTokenStore

from pinfold.domain.access import Role, Scope
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.errors import InvalidIdentity, StoreError, UnknownPublisher
from pinfold.domain.provenance import PublisherKind, PublisherPin
from pinfold.domain.trusted_publishing import Identity, TrustedPublisher
from pinfold.usecases.trusted_publishing import TrustedPublishing

ISSUER = FakeIssuer()
RUNNER = Actor(address="192.0.2.7")
PIN = PublisherPin(PublisherKind.GITHUB, "acme/widget", "publish.yml")
WIDGET = TrustedPublisher(ISSUER.url, PIN, Scope(("main",), ("widget",)))
RELEASE = TrustedPublisher(ISSUER.url, replace(PIN, environment="release"), Scope(("prod",), ("widget",)))


class Verifier:
    """Believes whatever it is shown."""

    def __init__(self, clock):
        self.clock = clock
        self.shown = {}

    async def verify(self, assertion):
        claims = self.shown[assertion]
        return Identity(claims["iss"], claims["jti"], self.clock.now() + timedelta(minutes=5), claims)


class World:
    def __init__(self, *publishers):
        self.clock, self.store = FakeClock(), FakeTokenStore()
        self.verifier = Verifier(self.clock)
        self.use = TrustedPublishing(publishers, AUDIENCE, self.verifier, self.store, self.clock)

    async def mint(self, **claims):
        self.verifier.shown["jwt"] = ISSUER.github(**claims)
        return await self.use.mint("jwt", RUNNER)


async def test_a_workflow_gets_a_token_for_its_projects_and_a_quarter_of_an_hour():
    world = World(WIDGET)
    token = (await world.mint()).token
    assert (token.role, token.scope, token.name) == (Role.PUBLISHER, WIDGET.scope, "GitHub acme/widget (publish.yml)")
    assert token.expires_at - token.created_at == timedelta(minutes=15)


async def test_an_exchange_is_audited_with_who_it_was():
    world = World(WIDGET)
    new = await world.mint()
    (entry,) = world.store.audited
    assert (entry.action, entry.reference) == (Action.TOKEN_MINT, new.token.id)
    assert (entry.actor.name, entry.actor.address) == ("GitHub acme/widget (publish.yml)", "192.0.2.7")
    assert entry.details["publisher"]["owner_id"] == "77"
    assert entry.details["claims"]["ref"] == "refs/tags/v1"
    assert new.text not in repr(entry)


async def test_an_environment_outweighs_none():
    for order in ((WIDGET, RELEASE), (RELEASE, WIDGET)):
        assert (await World(*order).mint()).token.scope == RELEASE.scope
        assert (await World(*order).mint(environment=None)).token.scope == WIDGET.scope
    with pytest.raises(UnknownPublisher, match=r"GitHub acme/widget \(publish.yml\) in staging"):
        await World(RELEASE).mint(environment="staging")


async def test_nobody_gets_a_token_whom_nobody_wrote_down():
    world = World(WIDGET)
    other = "acme/gadget"
    with pytest.raises(UnknownPublisher, match="nothing here trusts GitHub acme/gadget"):
        await world.mint(repository=other)
    with pytest.raises(InvalidIdentity, match="issuer"):
        await world.mint(iss="https://evil.example")
    assert await world.store.current() == {}
    assert world.store.audited == []


async def test_an_identity_is_exchanged_once():
    world = World(WIDGET)
    await world.mint(jti="one")
    with pytest.raises(InvalidIdentity):
        await world.mint(jti="one")
    await world.mint(jti="two")
    assert len(world.store.audited) == 2


async def test_a_revived_account_gets_nothing():
    world = World(WIDGET)
    await world.mint()
    for ids in ({"repository_owner_id": "666"}, {"repository_id": "666"}):
        with pytest.raises(UnknownPublisher, match="not those it had before"):
            await world.mint(**ids)
    await world.mint()


async def test_ids_that_are_written_down_outweigh_what_was_seen():
    world = World(WIDGET)
    await world.mint()
    moved = replace(WIDGET, owner_id="88", repository_id="1001")
    other = TrustedPublishing([moved], AUDIENCE, world.verifier, world.store, world.clock)
    world.verifier.shown["jwt"] = ISSUER.github(repository_owner_id="88")
    await other.mint("jwt", RUNNER)
    with pytest.raises(UnknownPublisher):
        await world.mint()


async def test_no_store_no_token():
    world = World(WIDGET)
    world.store.failure = StoreError("full")
    with pytest.raises(StoreError):
        await world.mint()


def test_without_publishers_nothing_is_offered():
    assert not World().use.offered
    assert World(WIDGET).use.offered
