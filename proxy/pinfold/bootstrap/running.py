"""Serve requests, in one process or in several."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from multiprocessing.synchronize import Semaphore

from pinfold.adapters.json_lines import JsonLines
from pinfold.bootstrap.installation import open_installation
from pinfold.domain.errors import InvalidSettings
from pinfold.settings import Settings
from pinfold.web.serve import Listening, cannot_listen, serve
from pinfold.web.workers import reserve, supervise


def run_server(settings: Settings, announce: Callable[[str, int], None]) -> None:
    """Serve until told to stop; `announce` is told host and port once connections are accepted.

    Raises InvalidSettings, InvalidPolicy and StoreError with what to do about it.
    """
    server = settings.server
    if server.workers == 1:
        asyncio.run(_serve(settings, announce, server.port))
        return
    try:
        reserved = reserve(server.host, server.port)
    except OSError as error:
        raise InvalidSettings([cannot_listen(server.host, server.port, error)]) from error
    with reserved:
        # What is wrong with the store or a policy is said once, here, and not by every worker.
        asyncio.run(_check(settings))
        host, port = reserved.getsockname()[:2]
        work = partial(_work, settings, port)
        supervise(server.workers, work, server.drain.total_seconds(), partial(announce, host, port))


def _work(settings: Settings, port: int, up: Semaphore) -> None:
    configure_logging(settings)
    asyncio.run(_serve(settings, lambda *_: up.release(), port, shared=True))


async def _check(settings: Settings) -> None:
    async with open_installation(settings) as installation:
        await installation.ready()


async def _serve(settings: Settings, announce: Callable[[str, int], None], port: int, *, shared: bool = False) -> None:
    server = settings.server
    async with open_installation(settings) as installation:
        background: list[asyncio.Task[None]] = []

        def up(host: str, port: int) -> None:
            announce(host, port)
            background.append(asyncio.create_task(installation.warm_up()))

        listening = Listening(server.host, port, server.drain.total_seconds(), shared)
        watching = [
            asyncio.create_task(watch.run())
            for watch in (
                installation.watch_feeds(),
                installation.look_back,
                installation.alerts,
                installation.checkpoints,
            )
        ]
        try:
            await serve(installation.services(), listening, up)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, *background, return_exceptions=True)


def configure_logging(settings: Settings) -> None:
    """Write structured lines, one event each, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("pinfold.access").setLevel(logging.INFO if settings.server.access_log else logging.WARNING)
