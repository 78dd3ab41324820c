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
"""Seconds in which connections that were accepted last may bring their requests, before idle ones are closed."""


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
        for site in runner.sites:
            await site.stop()
        deadline = loop.time() + STRAGGLERS
        # Nothing tells when the last connection has ended.
        while runner.server is not None and runner.server.connections and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    finally:
        await runner.cleanup()
