from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.fakes.upstream.certificates import local_certificate

from pinfold.adapters.witness import Witness
from pinfold.domain.errors import InvalidSettings
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


async def test_a_witness_of_the_own_network_is_vouched_for_by_its_own_authority(keeper: Keeper, tmp_path: Path) -> None:
    tls, ca_file = local_certificate(tmp_path)
    app = web.Application()
    app.router.add_post("/add", keeper.take)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=tls)
    async with server:
        address = str(server.make_url("/add"))
        for trusted, kept in ((None, 0), (ca_file, 1)):
            witness = Witness(address, trusted)
            with nullcontext() if trusted else pytest.raises(NotKept, match="Certificate"):
                await witness.keep(NOTE)
            await witness.aclose()
            assert len(keeper.got) == kept


def test_a_file_without_certificates_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    with pytest.raises(InvalidSettings, match="checkpoint_ca_file"):
        Witness("https://witness.example/", tmp_path / "ca.pem")
