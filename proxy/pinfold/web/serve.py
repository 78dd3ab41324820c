"""One serving process: accepts connections, tells that it does, and drains when it is told to stop."""

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable

from aiohttp import web

from pinfold.web.app import build_app
from pinfold.web.services import Services
from pinfold.web.workers import Sockets

log = logging.getLogger(__name__)

KEEP_ALIVE = 75.0
BACKLOG = 1024
"""Connections that may wait while a worker is busy, or is replaced."""
LONGEST_LINE = 8190
"""Bytes of a request line or a header; longer ones are answered 400 by aiohttp."""


STRAGGLERS = 1.0
"""Seconds for which idle connections stay open once no new ones are accepted."""
PAUSE = 0.01


async def serve(services: Services, sockets: Sockets, drain_seconds: float, up: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let requests under way finish.

    `up` is called once connections are accepted.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if (parent := multiprocessing.parent_process()) is not None:
        # A worker whose supervisor was killed must not go on holding the port.
        loop.add_reader(parent.sentinel, stopping.set)
    runner = web.AppRunner(
        build_app(services),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=KEEP_ALIVE,
        shutdown_timeout=drain_seconds,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        for listening in sockets:
            await web.SockSite(runner, listening, backlog=BACKLOG).start()
        up()
        await stopping.wait()
        log.info("stopping: requests under way have %g s to finish", drain_seconds)
        await _stop_accepting(runner, sockets)
    finally:
        await runner.cleanup()


async def _stop_accepting(runner: web.AppRunner, sockets: Sockets) -> None:
    """Accept no more connections, and give those that were accepted last the time to bring their requests."""
    for listening in sockets:
        asyncio.get_running_loop().remove_reader(listening)
    # Connections on their way from asyncio to aiohttp would be dropped with the site.
    await asyncio.sleep(PAUSE)
    for site in runner.sites:
        await site.stop()
    for _ in range(int(STRAGGLERS / PAUSE)):
        if runner.server is None or not runner.server.connections:
            break
        await asyncio.sleep(PAUSE)
