from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pinfold.adapters.witness import Witness
from pinfold.ports.checkpoints import NotKept

NOTE = "pinfold.example/audit\n1\n…\n".encode()


class Keeper:
    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.status = 200

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["Content-Type"], await request.read()))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
async def server(keeper: Keeper) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_post("/{path:.*}", keeper.take)
    async with TestServer(app) as server:
        yield server


async def test_a_note_arrives_as_it_is(keeper: Keeper, server: TestServer) -> None:
    witness = Witness(str(server.make_url("/add?token=secret")))
    await witness.keep(NOTE)
    await witness.aclose()
    assert keeper.got == [("text/plain; charset=utf-8", NOTE)]


@pytest.mark.parametrize("status", [302, 400, 503])
async def test_any_other_answer_is_told_without_the_address(keeper: Keeper, server: TestServer, status: int) -> None:
    keeper.status = status
    witness = Witness(str(server.make_url("/add?token=secret")))
    with pytest.raises(NotKept, match=f"it answered {status}") as error:
        await witness.keep(NOTE)
    await witness.aclose()
    assert "secret" not in str(error.value)
    assert len(keeper.got) == 1


async def test_no_answer_is_told_without_the_address() -> None:
    witness = Witness("http://127.0.0.1:9/add?token=secret")
    with pytest.raises(NotKept, match="no answer") as error:
        await witness.keep(NOTE)
    await witness.aclose()
    assert "secret" not in str(error.value)
