"""Attempts to get in that fail, from one address and from many, over HTTP."""

import pytest
from tests.e2e.publisher import Publisher

from pinfold.domain.token_text import write_token
from pinfold.usecases.failed_attempts import MOST_ENTRIES, MOST_FAILURES


@pytest.fixture
def overrides(overrides, upstream):
    upstream.add_file("acme", "1.0")
    return overrides | {"indexes.closed.anonymous": False, "server.trusted_proxies": ["127.0.0.1"]}


async def ask(pinfold, address, token, path="/closed/simple/acme/"):
    return await pinfold.get(path, X_Forwarded_For=address, Authorization=f"Bearer {token}")


async def test_after_many_failures_an_address_is_put_off(pinfold):
    token = write_token("T-AAAAAAA")
    answers = [await ask(pinfold, "192.0.2.7", token) for _ in range(MOST_FAILURES + 3)]
    assert [answer.status for answer in answers] == [403] * MOST_FAILURES + [429] * 3
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
    assert (await ask(pinfold, "192.0.2.8", token)).status == 403


async def test_passwords_count_where_they_open_nothing_and_only_there(pinfold):
    for _ in range(MOST_FAILURES):
        assert (await ask(pinfold, "192.0.2.7", "hunter2")).status == 403
    assert (await ask(pinfold, "192.0.2.7", "hunter2")).status == 429
    for _ in range(MOST_FAILURES + 3):
        assert (await pinfold.get("/closed/simple/acme/", X_Forwarded_For="192.0.2.9")).status == 401


async def test_colleagues_behind_one_address_are_not_locked_out(pinfold):
    ours = await Publisher.of(pinfold)
    for _ in range(MOST_FAILURES + 1):
        await ask(pinfold, "192.0.2.7", write_token("T-AAAAAAA"))
    assert (await ask(pinfold, "192.0.2.7", ours.token)).status == 200


async def test_a_client_cannot_choose_whom_its_failures_are_counted_for(pinfold):
    for number in range(MOST_FAILURES + 1):
        answer = await ask(pinfold, f"203.0.113.{number}, 192.0.2.7", write_token("T-AAAAAAA"))
    assert answer.status == 429


async def test_the_log_has_one_entry_an_address_and_not_too_many_of_all(pinfold):
    token = write_token("T-AAAAAAA")
    for _ in range(20):
        await ask(pinfold, "192.0.2.7", token)
    (entry,) = await pinfold.audited("access.refused")
    assert (entry.reference, entry.actor.address) == ("T-AAAAAAA", "192.0.2.7")
    assert entry.details == {"why": "there is no such token"}
    for number in range(MOST_ENTRIES + 40):
        await ask(pinfold, f"2001:db8:0:{number:x}::1", token)
    assert len(await pinfold.audited("access.refused")) == MOST_ENTRIES
