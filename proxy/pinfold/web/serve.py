"""A listening server: starts, tells that it is ready, and drains when it is told to stop."""

import asyncio
import errno
import logging
import multiprocessing
import signal
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from pinfold.domain.errors import InvalidSettings
from pinfold.web.app import build_app
from pinfold.web.services import Services

log = logging.getLogger(__name__)

KEEP_ALIVE = 75.0
LONGEST_LINE = 8190
"""Bytes of a request line or a header; longer ones are answered 400 by aiohttp."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and how long to drain."""

    host: str
    port: int
    drain_seconds: float
    shared: bool = False
    """Several processes listen on the port, and the kernel spreads connections over them (SO_REUSEPORT)."""


async def serve(services: Services, listening: Listening, announce: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then let requests under way finish.

    `announce` is told host and port once connections are accepted. Raises InvalidSettings where nothing can listen
    there.
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
        shutdown_timeout=listening.drain_seconds,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, listening.host, listening.port, reuse_port=listening.shared or None)
        try:
            await site.start()
        except OSError as error:
            raise InvalidSettings([cannot_listen(listening.host, listening.port, error)]) from error
        for address in runner.addresses[:1]:
            announce(address[0], address[1])
        await stopping.wait()
        log.info("stopping: requests under way have %g s to finish", listening.drain_seconds)
    finally:
        await runner.cleanup()


def cannot_listen(host: str, port: int, error: OSError) -> str:
    """Return what keeps a server from listening somewhere, and what to do about it."""
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use: stop what listens there, or choose another port with --port"
    if error.errno == errno.EACCES:
        return f"{where} needs rights that this user lacks: choose a port above 1023 with --port"
    return f"cannot listen on {where}: {error.strerror or error}"
