from datetime import timedelta

import pytest
from tests.fakes.clock import FakeClock
from tests.fakes.tokens import FakeTokenStore

from pinfold.domain.access import Role, Scope
from pinfold.domain.audit_entry import Action, Actor
from pinfold.domain.errors import InvalidRecord, NotFound
from pinfold.domain.token_text import read_token
from pinfold.usecases.tokens import Tokens

KIM = Actor("kim")


@pytest.fixture
def store():
    return FakeTokenStore()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def tokens(store, clock):
    return Tokens(store, clock, ["main", "prod"])


async def test_a_token_is_created_with_a_text_that_proves_it(tokens, store):
    new = await tokens.create("ci", Role.PUBLISHER, Scope(("prod",), ("Acme_Core", "acme-*")), None, KIM)
    assert new.token.scope == Scope(("prod",), ("acme-core", "acme-*"))
    text = read_token(new.text)
    (kept,) = (await store.current()).values()
    assert (kept.token, kept.token.id, kept.sha256) == (new.token, text.id, text.sha256)


async def test_creating_and_revoking_is_audited_without_the_secret(tokens, store, clock):
    new = await tokens.create("ci", Role.READER, Scope(), clock.now() + timedelta(days=1), KIM)
    await tokens.revoke(new.token.id, Actor("lee"))
    assert [entry.action for entry in store.audited] == [Action.TOKEN_CREATE, Action.TOKEN_REVOKE]
    assert {entry.reference for entry in store.audited} == {new.token.id}
    assert store.audited[0].details["expires_at"] == "2026-03-25T12:00:00+00:00"
    for spoken in (repr(store.audited), repr(new), repr(await store.current()), str(new.token)):
        assert new.text not in spoken
        assert new.text.rpartition("_")[2] not in spoken


@pytest.mark.parametrize("name", ["", " ", "anonymous", "a\nb", "x" * 65, "é", "-x", "\x1b[31m"])
async def test_a_name_is_something_to_search_for(tokens, name):
    with pytest.raises(InvalidRecord, match="no name for a token"):
        await tokens.create(name, Role.READER, Scope(), None, KIM)


async def test_a_name_is_one_tokens_at_a_time(tokens, clock):
    first = await tokens.create("ci", Role.READER, Scope(), None, KIM)
    with pytest.raises(InvalidRecord, match=f"{first.token.id} is called 'ci' already"):
        await tokens.create("ci", Role.READER, Scope(), None, KIM)
    await tokens.revoke(first.token.id, KIM)
    second = await tokens.create("ci", Role.READER, Scope(), clock.now() + timedelta(hours=1), KIM)
    clock.advance(timedelta(hours=1))
    third = await tokens.create("ci", Role.READER, Scope(), None, KIM)
    assert len({one.token.id for one in (first, second, third)}) == 3


@pytest.mark.parametrize("glob", ["prdo", "test-*", "", "ma in", "* x", "[m]ain", "main,prod", "MAIN"])
async def test_a_scope_names_an_index_that_is_there(tokens, glob):
    with pytest.raises(InvalidRecord, match="known: main, prod"):
        await tokens.create("ci", Role.READER, Scope((glob,)), None, KIM)


@pytest.mark.parametrize("glob", ["", "a b", "*\t", "[a]", "acme-*!", "-"])
async def test_a_scope_names_projects_that_could_be(tokens, glob):
    with pytest.raises(InvalidRecord, match="no project name"):
        await tokens.create("ci", Role.READER, Scope(projects=(glob,)), None, KIM)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN])
async def test_who_audits_or_administers_does_so_by_index(tokens, role):
    with pytest.raises(InvalidRecord, match="whole indexes"):
        await tokens.create("boss", role, Scope(projects=("acme",)), None, KIM)
    assert (await tokens.create("boss", role, Scope(("prod",)), None, KIM)).token.scope == Scope(("prod",))


async def test_an_end_lies_ahead(tokens, clock):
    with pytest.raises(InvalidRecord, match="in the past"):
        await tokens.create("ci", Role.READER, Scope(), clock.now(), KIM)


async def test_a_text_that_was_found_somewhere_is_revoked_as_it_is(tokens, store):
    new = await tokens.create("ci", Role.READER, Scope(), None, KIM)
    revoked = await tokens.revoke(new.text, KIM)
    assert revoked.id == new.token.id
    assert (await store.current())[new.token.id].token.revoked_by == "kim"


async def test_an_id_may_be_written_small(tokens):
    new = await tokens.create("ci", Role.READER, Scope(), None, KIM)
    assert (await tokens.revoke(new.token.id.lower(), KIM)).id == new.token.id


async def test_what_has_ended_is_not_revoked(tokens, clock):
    revoked = await tokens.create("a", Role.READER, Scope(), None, KIM)
    await tokens.revoke(revoked.token.id, KIM)
    expired = await tokens.create("b", Role.READER, Scope(), clock.now() + timedelta(hours=1), KIM)
    clock.advance(timedelta(hours=2))
    with pytest.raises(InvalidRecord, match="was revoked by kim"):
        await tokens.revoke(revoked.token.id, KIM)
    with pytest.raises(InvalidRecord, match="expired at"):
        await tokens.revoke(expired.token.id, KIM)
    with pytest.raises(NotFound, match="T-NOSUCH"):
        await tokens.revoke("T-NOSUCH", KIM)
