import asyncio
import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pinfold.web import acceptor
from pinfold.web.acceptor import Acceptor


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening


async def greeted(listening: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_connections_reach_the_protocol(listening: socket.socket) -> None:
    accepting = Acceptor(Greeting, [listening])
    accepting.start()
    assert await asyncio.gather(*(greeted(listening) for _ in range(5))) == [b"hello"] * 5
    await accepting.stop()


async def test_who_comes_after_the_stop_waits_for_the_next_owner(listening: socket.socket) -> None:
    first, second = Acceptor(Greeting, [listening]), Acceptor(Greeting, [listening])
    first.start()
    await first.stop()
    waiting = asyncio.create_task(greeted(listening))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    second.start()
    assert await waiting == b"hello"
    await second.stop()


class Exhausted:
    """A listening socket in a process that has no file descriptor left for a while."""

    def __init__(self, listening: socket.socket, failures: int) -> None:
        self._listening = listening
        self.failures = failures
        self.asked = 0

    def accept(self) -> Any:
        self.asked += 1
        if self.asked <= self.failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listening.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listening, name)


async def test_a_process_without_descriptors_tries_again_later(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "RETRY_SECONDS", 0.05)
    exhausted: Any = Exhausted(listening, failures=2)
    accepting = Acceptor(Greeting, [exhausted])
    accepting.start()
    assert await greeted(listening) == b"hello"
    await accepting.stop()
    assert exhausted.asked <= 5
    assert len(caplog.records) == 2


async def test_a_stop_ends_trying_again(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "RETRY_SECONDS", 0.02)
    exhausted: Any = Exhausted(listening, failures=100)
    accepting = Acceptor(Greeting, [exhausted])
    accepting.start()
    waiting = asyncio.create_task(greeted(listening))
    await asyncio.sleep(0.05)
    await accepting.stop()
    asked = exhausted.asked
    await asyncio.sleep(0.1)
    assert exhausted.asked == asked
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
