"""A server farther away than it is: what passes is as late as over a network, and new connections take their time."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_READ = 256 * 1024


@contextmanager
def at_a_distance(port: int, seconds: float) -> Iterator[int]:
    """Stand before a port of 127.0.0.1, so many seconds away each way; yield the port to ask.

    A new connection costs two times there and back before it carries anything, as with TCP and TLS 1.3.
    """
    loop = asyncio.new_event_loop()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(4 * seconds)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ)
        await asyncio.gather(_delayed(reader, far_writer, seconds), _delayed(far_reader, writer, seconds))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(forward, "127.0.0.1", 0, limit=_READ, backlog=256)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, name="distance", daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield server.sockets[0].getsockname()[1]
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


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
