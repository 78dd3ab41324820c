"""What every token store keeps to, whatever it is made of."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON
from tests.fakes.tokens import FakeTokenStore

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.tokens import SqliteTokenStore
from pinfold.domain.access import Role, Scope, Token
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidIdentity, NotFound, StoreError
from pinfold.domain.provenance import PublisherKind, WorkflowPublisher
from pinfold.domain.token_text import read_token, write_token
from pinfold.domain.trusted_publishing import LIFETIME, Identity
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.tokens import KeptToken, TokenStore

TOKEN = Token("T-AAAAAAA", "ci", Role.PUBLISHER, Scope(("main", "team-*"), ("acme-*",)), "kim", NOON)
HASH = bytes(range(32))
CREATED = Entry(Action.TOKEN_CREATE, NOON, Actor("kim"), reference="T-AAAAAAA")
REVOKED = Entry(Action.TOKEN_REVOKE, NOON, Actor("lee"), reference="T-AAAAAAA")


@dataclass
class Held:
    """A store, another that sees the same tokens as another process would, and the entries of both."""

    store: TokenStore
    other: TokenStore
    audited: Callable[[], Awaitable[list[Entry]]]


@pytest.fixture(params=["sqlite", "fake"])
async def held(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Held]:
    if request.param == "fake":
        fake = FakeTokenStore()

        async def audited() -> list[Entry]:
            return fake.audited

        yield Held(fake, fake, audited)
        return
    ledgers = [await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True) for _ in range(2)]
    log = SqliteAuditLog(ledgers[0])

    async def logged() -> list[Entry]:
        return [recorded.entry for recorded in await log.search(AuditQuery(newest_first=False))]

    yield Held(SqliteTokenStore(ledgers[0]), SqliteTokenStore(ledgers[1]), logged)
    for ledger in ledgers:
        await ledger.close()


async def test_at_first_there_are_no_tokens(held: Held) -> None:
    assert await held.store.current() == {}
    assert await held.store.history() == []


async def test_a_token_holds_as_soon_as_it_is_added(held: Held) -> None:
    await held.store.current()
    await held.store.add(TOKEN, HASH, CREATED)
    assert await held.store.current() == {"T-AAAAAAA": KeptToken(TOKEN, HASH)}
    assert await held.audited() == [CREATED]


async def test_everything_about_a_token_is_kept(held: Held) -> None:
    token = replace(TOKEN, expires_at=NOON + timedelta(days=9, microseconds=1))
    await held.store.add(token, HASH, CREATED)
    await held.store.add(replace(TOKEN, id="T-BBBBBBB", role=Role.ADMIN, scope=Scope()), HASH, CREATED)
    assert await held.store.history() == [token, replace(TOKEN, id="T-BBBBBBB", role=Role.ADMIN, scope=Scope())]


async def test_a_revoked_token_is_told_as_such(held: Held) -> None:
    await held.store.add(TOKEN, HASH, CREATED)
    at = NOON + timedelta(hours=1)
    await held.store.revoke("T-AAAAAAA", "lee", at, REVOKED)
    revoked = replace(TOKEN, revoked_at=at, revoked_by="lee")
    assert await held.store.current() == {"T-AAAAAAA": KeptToken(revoked, HASH)}
    assert await held.audited() == [CREATED, REVOKED]


async def test_what_one_process_revokes_holds_in_another_within_a_second(held: Held) -> None:
    await held.store.add(TOKEN, HASH, CREATED)
    assert (await held.other.current())["T-AAAAAAA"].token.revoked_at is None
    began = time.monotonic()
    await held.store.revoke("T-AAAAAAA", "lee", NOON, REVOKED)
    while (await held.other.current())["T-AAAAAAA"].token.revoked_at is None:
        assert time.monotonic() < began + 1
        await asyncio.sleep(0.01)


async def test_what_one_process_adds_is_found_by_another_at_once(held: Held) -> None:
    for number in range(5):
        token_id = f"T-AAAAAA{number + 2}"
        assert token_id not in await held.other.current()
        assert await held.other.find(token_id) is None
        await held.store.add(replace(TOKEN, id=token_id), HASH, CREATED)
        assert await held.other.find(token_id) == KeptToken(replace(TOKEN, id=token_id), HASH)


async def test_many_who_look_for_what_was_just_added_find_it(held: Held) -> None:
    async def add_and_find(number: int) -> bool:
        token_id = f"T-BBBBBB{number + 2}"
        await held.store.add(replace(TOKEN, id=token_id), HASH, CREATED)
        return await held.other.find(token_id) is not None

    assert all(await asyncio.gather(*(add_and_find(number) for number in range(30))))


async def test_a_token_is_revoked_once(held: Held) -> None:
    await held.store.add(TOKEN, HASH, CREATED)
    await held.store.revoke("T-AAAAAAA", "lee", NOON, REVOKED)
    for gone in ("T-AAAAAAA", "T-CCCCCCC"):
        with pytest.raises(NotFound, match=gone):
            await held.store.revoke(gone, "kim", NOON, REVOKED)
    assert await held.audited() == [CREATED, REVOKED]


async def test_a_token_that_has_expired_cannot_be_revoked(held: Held) -> None:
    await held.store.add(replace(TOKEN, expires_at=NOON), HASH, CREATED)
    with pytest.raises(NotFound):
        await held.store.revoke("T-AAAAAAA", "lee", NOON, REVOKED)
    assert await held.audited() == [CREATED]


async def test_an_id_is_given_once(held: Held) -> None:
    await held.store.add(TOKEN, HASH, CREATED)
    with pytest.raises(StoreError):
        await held.store.add(replace(TOKEN, name="another"), HASH[::-1], CREATED)
    assert await held.store.current() == {"T-AAAAAAA": KeptToken(TOKEN, HASH)}
    assert await held.audited() == [CREATED]


async def test_the_last_use_is_kept_and_never_set_back(held: Held) -> None:
    await held.store.add(TOKEN, HASH, CREATED)
    for minutes in (5, 3):
        await held.store.note_uses({"T-AAAAAAA": NOON + timedelta(minutes=minutes), "T-CCCCCCC": NOON})
    assert [token.last_used_at for token in await held.store.history()] == [NOON + timedelta(minutes=5)]
    assert await held.audited() == [CREATED]


ISSUER = "https://ci.example"
SHOWN = Identity(ISSUER, "jti-1", NOON + timedelta(minutes=5), {})
WORKFLOW = WorkflowPublisher(PublisherKind.GITHUB, "Acme/Widget", "publish.yml", None, "1001", "77")
SHORT = replace(TOKEN, id="T-SHORT11", expires_at=NOON + LIFETIME)
MINTED = Entry(Action.TOKEN_MINT, NOON, Actor("GitHub"), reference="T-SHORT11")


async def test_a_token_is_had_for_an_identity(held: Held) -> None:
    await held.store.exchange(SHORT, HASH, SHOWN, WORKFLOW, MINTED)
    assert await held.store.current() == {"T-SHORT11": KeptToken(SHORT, HASH)}
    assert await held.audited() == [MINTED]


async def test_an_identity_is_exchanged_once(held: Held) -> None:
    await held.store.exchange(SHORT, HASH, SHOWN, WORKFLOW, MINTED)
    with pytest.raises(InvalidIdentity):
        await held.store.exchange(replace(SHORT, id="T-SHORT22"), HASH, SHOWN, WORKFLOW, MINTED)
    with pytest.raises(InvalidIdentity):
        await held.other.exchange(replace(SHORT, id="T-SHORT33"), HASH, SHOWN, WORKFLOW, MINTED)
    assert list(await held.store.current()) == ["T-SHORT11"]
    assert await held.audited() == [MINTED]
    await held.store.exchange(replace(SHORT, id="T-SHORT44"), HASH, replace(SHOWN, issuer="x"), WORKFLOW, MINTED)


async def test_of_two_who_show_the_same_identity_at_once_one_gets_a_token(held: Held) -> None:
    both = (
        store.exchange(replace(SHORT, id=token_id), HASH, SHOWN, WORKFLOW, MINTED)
        for store, token_id in ((held.store, "T-SHORT11"), (held.other, "T-SHORT22"))
    )
    results = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["InvalidIdentity", "NoneType"]
    assert len(await held.store.history()) == 1


async def test_whose_a_repository_was_is_remembered_by_its_name_in_any_case(held: Held) -> None:
    assert await held.store.repository(ISSUER, "acme/widget") is None
    await held.store.exchange(SHORT, HASH, SHOWN, WORKFLOW, MINTED)
    for spelling in ("acme/widget", "ACME/WIDGET"):
        assert await held.store.repository(ISSUER, spelling) == WORKFLOW
    assert await held.store.repository("https://other.example", "acme/widget") is None
    assert await held.store.repository(ISSUER, "acme/gadget") is None


async def test_what_is_refused_changes_nothing_about_whose_it_was(held: Held) -> None:
    await held.store.exchange(SHORT, HASH, SHOWN, WORKFLOW, MINTED)
    other = replace(WORKFLOW, owner_id="666")
    with pytest.raises(InvalidIdentity):
        await held.store.exchange(replace(SHORT, id="T-SHORT22"), HASH, SHOWN, other, MINTED)
    assert await held.store.repository(ISSUER, "acme/widget") == WORKFLOW


async def test_short_lived_tokens_are_forgotten_some_time_after_they_ended(held: Held) -> None:
    await held.store.add(replace(TOKEN, expires_at=NOON + timedelta(hours=1)), HASH, CREATED)
    await held.store.exchange(SHORT, HASH, SHOWN, WORKFLOW, MINTED)
    for number, days in enumerate((1, 3), start=2):
        at = NOON + timedelta(days=days)
        token = replace(SHORT, id=f"T-SHORT{number}", created_at=at, expires_at=at + LIFETIME)
        shown = replace(SHOWN, token_id=f"jti-{number}", expires_at=at + LIFETIME)
        await held.store.exchange(token, HASH, shown, WORKFLOW, MINTED)
        left = [token.id for token in await held.store.history()]
        assert left == (["T-AAAAAAA", "T-SHORT11", "T-SHORT2"] if days == 1 else ["T-AAAAAAA", "T-SHORT3"])


async def test_of_a_text_nothing_is_stored_but_its_hash(tmp_path: Path) -> None:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    written = write_token("T-AAAAAAA")
    text = read_token(written)
    assert text is not None
    await SqliteTokenStore(ledger).add(TOKEN, text.sha256, CREATED)
    await ledger.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert text.sha256 in stored
    assert written.rpartition("_")[2][:12].encode() not in stored
