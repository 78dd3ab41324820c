"""One serving process: accepts connections, tells that it does, and drains when it is told to stop."""

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from aiohttp import web

from pinfold.web.acceptor import Acceptor
from pinfold.web.app import build_app
from pinfold.web.remembering_handler import RememberingHandler
from pinfold.web.request_memory import RequestMemory
from pinfold.web.services import Services
from pinfold.web.workers import Sockets

log = logging.getLogger(__name__)

KEEP_ALIVE = 75.0
LONGEST_LINE = 8190
"""Bytes of a request line or a header; longer ones are answered 400 by aiohttp."""
STRAGGLERS = 1.0
"""Seconds for which idle connections stay open once no new ones are accepted."""
PAUSE = 0.01

_PROTOCOL: Final[dict[str, Any]] = {
    "access_log": None,
    "keepalive_timeout": KEEP_ALIVE,
    "max_line_size": LONGEST_LINE,
    "max_field_size": LONGEST_LINE,
}


def told_to_stop() -> asyncio.Event:
    """Return what is set as soon as the running event loop's process is to end."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if (parent := multiprocessing.parent_process()) is not None:
        # A worker whose supervisor was killed must not go on holding the port.
        loop.add_reader(parent.sentinel, stopping.set)
    return stopping


async def serve(
    services: Services,
    sockets: Sockets,
    drain_seconds: float,
    up: Callable[[], None],
    memory: RequestMemory | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then let requests under way finish.

    `up` is called once connections are accepted. With a memory, requests that come again are answered from it.
    """
    stopping = told_to_stop()
    runner = web.AppRunner(build_app(services), handle_signals=False, shutdown_timeout=drain_seconds)
    await runner.setup()
    server = cast("web.Server", runner.server)
    handler = web.RequestHandler if memory is None else partial(RememberingHandler, memory=memory)
    acceptor = Acceptor(partial(handler, server, loop=asyncio.get_running_loop(), **_PROTOCOL), sockets)
    try:
        acceptor.start()
        up()
        await stopping.wait()
        log.info("stopping: requests under way have %g s to finish", drain_seconds)
        await acceptor.stop()
        # Those that were accepted last have the time to bring their requests.
        for _ in range(int(STRAGGLERS / PAUSE)):
            if not server.connections:
                break
            await asyncio.sleep(PAUSE)
    finally:
        await runner.cleanup()
