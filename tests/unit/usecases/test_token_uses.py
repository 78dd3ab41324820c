import asyncio
import contextlib
from datetime import timedelta

import pytest
from tests.fakes.clock import NOON
from tests.fakes.tokens import FakeTokenStore

from pinfold.domain.access import Role, Scope, Token
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import StoreError
from pinfold.usecases.token_uses import TokenUses

LATER = NOON + timedelta(minutes=5)


@pytest.fixture
async def store():
    store = FakeTokenStore()
    token = Token("T-AAAAAAA", "ci", Role.READER, Scope(), "kim", NOON)
    await store.add(token, bytes(32), Entry(Action.TOKEN_CREATE, NOON, Actor("kim")))
    return store


async def last_use(store):
    (token,) = await store.history()
    return token.last_used_at


async def stop(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_uses_are_kept_now_and_then(store):
    uses = TokenUses(store, interval=0.01)
    task = asyncio.create_task(uses.run())
    uses.note("T-AAAAAAA", NOON)
    uses.note("T-AAAAAAA", LATER)
    async with asyncio.timeout(5):
        while await last_use(store) is None:
            await asyncio.sleep(0.01)
    assert await last_use(store) == LATER
    await stop(task)


async def test_the_last_uses_are_kept_when_a_server_stops(store):
    uses = TokenUses(store)
    task = asyncio.create_task(uses.run())
    await asyncio.sleep(0)
    uses.note("T-AAAAAAA", LATER)
    await stop(task)
    assert await last_use(store) == LATER


async def test_a_store_that_fails_does_not_end_it(store):
    uses = TokenUses(store, interval=0.01)
    store.failure = StoreError("full")
    task = asyncio.create_task(uses.run())
    uses.note("T-AAAAAAA", NOON)
    await asyncio.sleep(0.05)
    store.failure = None
    uses.note("T-AAAAAAA", LATER)
    async with asyncio.timeout(5):
        while await last_use(store) is None:
            await asyncio.sleep(0.01)
    await stop(task)
