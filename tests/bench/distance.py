"""A server farther away than it is: what passes is as late as over a network, and new connections take their time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.relay import relay

_READ = 256 * 1024


@contextmanager
def at_a_distance(port: int, seconds: float) -> Iterator[int]:
    """Stand before a port of 127.0.0.1, so many seconds away each way; yield the port to ask.

    A new connection costs two times there and back before it carries anything, as with TCP and TLS 1.3.
    """

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(4 * seconds)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ)
        await asyncio.gather(_delayed(reader, far_writer, seconds), _delayed(far_reader, writer, seconds))

    with relay(forward, limit=_READ, backlog=256) as near:
        yield near


async def _delayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on what comes, each part so much later, however many are on their way."""
    loop, on_the_way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]](64)

    async def deliver() -> None:
        while True:
            due, chunk = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()

    delivery = asyncio.ensure_future(deliver())
    try:
        chunk = b"-"
        while chunk:
            chunk = await reader.read(_READ)
            await on_the_way.put((loop.time() + seconds, chunk))
        await delivery
    except ConnectionError:
        pass
    finally:
        delivery.cancel()
        writer.close()
