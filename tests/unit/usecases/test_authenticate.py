from datetime import timedelta

import pytest
from tests.fakes.audit_log import FakeAuditLog
from tests.fakes.clock import FakeClock
from tests.fakes.tokens import FakeTokenStore

from pinfold.domain.access import Principal, Role, Scope
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.errors import AccessDenied, StoreError, TooManyAttempts
from pinfold.domain.token_text import write_token
from pinfold.usecases.authenticate import Authenticate
from pinfold.usecases.failed_attempts import MOST_FAILURES, FailedAttempts
from pinfold.usecases.token_uses import TokenUses
from pinfold.usecases.tokens import Tokens

OPEN = frozenset({"main"})
SOMEBODY = Actor(address="192.0.2.7")


class World:
    def __init__(self):
        self.store, self.clock, self.log = FakeTokenStore(), FakeClock(), FakeAuditLog()
        self.uses = TokenUses(self.store, interval=0)
        self.tokens = Tokens(self.store, self.clock, ["main"])
        self.use = Authenticate(self.store, self.uses, FailedAttempts(), self.log, self.clock, OPEN)

    async def token(self, name="ci", expires_at=None):
        return await self.tokens.create(name, Role.READER, Scope(), expires_at, Actor("kim"))

    async def refusal(self, credential, error=AccessDenied):
        with pytest.raises(error) as caught:
            await self.use.principal(credential, SOMEBODY)
        return str(caught.value)


@pytest.fixture
def world():
    return World()


async def test_a_token_tells_who_holds_it(world):
    new = await world.token()
    assert await world.use.principal(new.text, SOMEBODY) == Principal(new.token, OPEN)


@pytest.mark.parametrize("credential", ["", "hunter2", "Pinfold_x", "ghp_abc"])
async def test_what_is_none_of_pinfolds_is_nobody_in_particular(world, credential):
    assert await world.use.principal(credential, SOMEBODY) == Principal(None, OPEN)
    assert world.log.recorded == []


async def test_nothing_is_asked_of_the_store_for_who_sends_no_token(world):
    world.store.failure = StoreError("gone")
    assert world.use.anonymous == await world.use.principal("hunter2", SOMEBODY) == Principal(None, OPEN)
    assert "gone" in await world.refusal(write_token("T-AAAAAAA"), StoreError)


async def test_each_way_not_to_hold_is_told(world):
    new = await world.token(expires_at=world.clock.now() + timedelta(hours=1))
    gone = await world.token("gone")
    await world.tokens.revoke(gone.token.id, Actor("kim"))
    assert "no such token" in await world.refusal(write_token("T-AAAAAAA"))
    assert "no such token" in await world.refusal(write_token(new.token.id)), "another secret under an id that exists"
    assert "mistyped or cut off" in await world.refusal(new.text[:-1])
    assert f"{gone.token.id} was revoked" in await world.refusal(gone.text)
    world.clock.advance(timedelta(hours=1))
    assert f"{new.token.id} expired" in await world.refusal(new.text)


async def test_who_does_not_prove_it_learns_nothing_of_a_token_that_has_ended(world):
    gone = await world.token("gone")
    await world.tokens.revoke(gone.token.id, Actor("kim"))
    assert await world.refusal(write_token(gone.token.id)) == await world.refusal(write_token("T-AAAAAAA"))


async def test_of_many_failures_one_is_recorded_and_the_rest_are_turned_away(world):
    wrong = write_token("T-AAAAAAA")
    for _ in range(MOST_FAILURES):
        await world.refusal(wrong)
    for _ in range(5):
        await world.refusal(wrong, TooManyAttempts)
    (entry,) = [recorded.entry for recorded in world.log.recorded]
    assert (entry.action, entry.actor, entry.reference) == (Action.ACCESS_REFUSED, SOMEBODY, "T-AAAAAAA")
    assert wrong not in repr(entry)


async def test_who_holds_a_token_is_let_in_also_where_others_fail(world):
    new = await world.token()
    for _ in range(MOST_FAILURES):
        await world.refusal(write_token("T-AAAAAAA"))
    assert (await world.use.principal(new.text, SOMEBODY)).token == new.token


async def test_what_costs_more_than_a_comparison_heeds_the_limit_first(world):
    world.use.heed_limit("192.0.2.7")
    for _ in range(MOST_FAILURES):
        await world.refusal(write_token("T-AAAAAAA"))
    with pytest.raises(TooManyAttempts):
        world.use.heed_limit("192.0.2.7")
    world.use.heed_limit("192.0.2.8")


async def test_no_entry_no_answer(world):
    world.log.failure = StoreError("full")
    await world.refusal(write_token("T-AAAAAAA"), StoreError)


async def test_a_use_is_kept_later_and_by_nobody_who_waits(world):
    new = await world.token()
    world.clock.advance(timedelta(minutes=5))
    await world.use.principal(new.text, SOMEBODY)
    assert (await world.store.history())[0].last_used_at is None
    await world.uses._keep()
    assert (await world.store.history())[0].last_used_at == world.clock.now()
