"""Both ends of a connection."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiofastnet


class Ends:
    """A connection: what sends, and the socket at which the client reads."""

    def __init__(self, transport: asyncio.Transport, client: socket.socket) -> None:
        self.transport = transport
        self.client = client

    async def read(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            piece = await asyncio.get_running_loop().sock_recv(self.client, 65536)
            assert piece
            received += piece
        return received

    async def read_to_the_end(self) -> bytes:
        received = b""
        try:
            while piece := await asyncio.get_running_loop().sock_recv(self.client, 65536):
                received += piece
        except ConnectionResetError:
            # It was broken off.
            pass
        return received


@asynccontextmanager
async def connected() -> AsyncIterator[Ends]:
    ours, client = socket.socketpair()
    client.setblocking(False)
    transport, _ = await aiofastnet.connect_accepted_socket(asyncio.get_running_loop(), asyncio.Protocol, ours)
    with client:
        yield Ends(transport, client)
        transport.abort()
        await asyncio.sleep(0.01)
