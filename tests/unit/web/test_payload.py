import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.unit.web.ends import Ends, connected

from pinfold.web import payload as payload_module
from pinfold.web.payload import Joined, Lent, Payload, Pieces

HEAD, BODY = b"head" * 80, os.urandom(300_000)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with connected() as ends:
        yield ends


@pytest.mark.parametrize("payload", [Pieces(HEAD, BODY), Joined((HEAD, BODY)), Lent((HEAD, BODY))])
async def test_a_payload_is_sent_whole_and_in_its_turn_to_whoever_reads_slowly(ends: Ends, payload: Payload) -> None:
    for _ in range(3):
        payload.send(ends.transport)
    ends.transport.write(b"after")
    assert await ends.read(3 * len(HEAD + BODY) + 5) == 3 * (HEAD + BODY) + b"after"


async def test_a_lent_file_is_open_until_the_last_who_sends_from_it_is_through(ends: Ends) -> None:
    lent = Lent((HEAD, BODY))
    descriptor = lent.fileno()
    lent.send(ends.transport)
    del lent
    os.fstat(descriptor)
    assert await ends.read(len(HEAD + BODY)) == HEAD + BODY
    await asyncio.sleep(0.01)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_a_client_that_goes_meanwhile_is_no_error(ends: Ends) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    Lent((HEAD, BODY)).send(ends.transport)
    ends.client.close()
    await asyncio.sleep(0.05)
    assert ends.transport.is_closing()
    assert errors == []


@pytest.mark.parametrize("payload", [Pieces(HEAD, BODY), Joined((HEAD, BODY)), Lent((HEAD, BODY))])
async def test_a_client_that_went_just_before_is_no_error(ends: Ends, payload: Payload) -> None:
    ends.client.close()
    payload.send(ends.transport)
    assert ends.transport.is_closing()


def test_what_has_no_room_is_not_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", lambda *_: 10)
    with pytest.raises(OSError, match="no room"):
        Lent((HEAD, BODY))


def test_descriptors_are_left_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_module, "MOST_LENT", Lent._held + 2)
    lent = [Lent((HEAD, BODY)) for _ in range(2)]
    with pytest.raises(OSError, match="enough answers"):
        Lent((HEAD, BODY))
    lent.pop()
    assert Lent((HEAD, BODY)).fileno() > 0


def test_memory_is_left_for_more_than_a_few_answers_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_module, "MOST_JOINED", len(Joined._held) + 2)
    joined = [Joined((HEAD, BODY)) for _ in range(2)]
    with pytest.raises(OSError, match="enough answers"):
        Joined((HEAD, BODY))
    joined.pop()
    assert Joined((HEAD, BODY))
