"""Serve requests, in one process or in several."""

import asyncio
import importlib
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from functools import partial

import uvloop

from pinfold.adapters.json_lines import JsonLines
from pinfold.adapters.sqlite.audit_taker import take_up_for_all
from pinfold.bootstrap.installation import open_installation
from pinfold.bootstrap.stores import open_audited
from pinfold.policy.rule import known_rules
from pinfold.settings import Settings
from pinfold.web.listen import listen
from pinfold.web.request_memory import RequestMemory
from pinfold.web.serve import serve, told_to_stop
from pinfold.web.workers import Sockets, Work, supervise

log = logging.getLogger(__name__)

MIB = 1024 * 1024
_LOADED_LATE = ("pypi_simple", "pinfold.adapters.sigstore.attestation")
"""What commands do without until they need it, and workers need as soon as they serve."""


def run_server(read_settings: Callable[[], Settings], announce: Callable[[Settings, str, int], None]) -> None:
    """Serve until told to stop; `announce` is told host and port once connections are accepted.

    On SIGHUP the settings and policies are read again. Raises InvalidSettings, InvalidPolicy and StoreError with what
    to do about it.
    """
    settings = read_settings()
    configure_logging(settings)
    _load()
    server = settings.server
    places = listen(server.host, server.port, server.workers)

    def prepare() -> Work:
        now = read_settings()
        kept = [name for name in ("host", "port", "workers") if getattr(now.server, name) != getattr(server, name)]
        if kept:
            log.warning("a changed server.%s takes effect at the next start", " and server.".join(kept))
        return partial(_work, now)

    with ExitStack() as opened:
        for listening in (listening for sockets in places for listening in sockets):
            opened.enter_context(listening)
        host, port = places[0][0].getsockname()[:2]
        # A single worker takes up what it records itself. The first place is the last that is filled.
        aside: list[Sockets] = [()] if len(places) > 1 else []
        supervise([*aside, *places], prepare, server.drain.total_seconds(), partial(announce, settings, host, port))


def _load() -> None:
    """Load once, in time and in memory, what otherwise each worker would load for itself."""
    for module in _LOADED_LATE:
        importlib.import_module(module)
    known_rules()


def _work(settings: Settings, sockets: Sockets, up: Callable[[], None]) -> None:
    configure_logging(settings)
    loop_factory = uvloop.new_event_loop if settings.server.event_loop == "uvloop" else None
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(settings, sockets, up) if sockets else _take_up(settings, up))


async def _serve(settings: Settings, sockets: Sockets, up: Callable[[], None]) -> None:
    async with open_installation(settings) as installation:
        await installation.ready()
        await installation.announce.policies(installation.indexes)
        background: list[asyncio.Task[None]] = []

        def warm_up_as_well() -> None:
            up()
            background.append(asyncio.create_task(installation.warm_up()))

        watching = [
            asyncio.create_task(watch.run())
            for watch in (
                installation.watch_feeds(),
                installation.look_back,
                installation.alerts,
                installation.checkpoints,
                installation.token_uses,
            )
        ]
        watching += [asyncio.create_task(refresh.run()) for refresh in installation.refresh_trust_root()]
        try:
            await serve(
                installation.services(),
                sockets,
                settings.server.drain.total_seconds(),
                warm_up_as_well,
                RequestMemory(size * MIB, installation.present) if (size := settings.server.request_memory) else None,
            )
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, *background, return_exceptions=True)


async def _take_up(settings: Settings, up: Callable[[], None]) -> None:
    stopping = told_to_stop()
    async with AsyncExitStack() as stack:
        _, ledger, _ = await open_audited(settings, stack)
        taking_up = asyncio.create_task(take_up_for_all(ledger))
        up()
        await stopping.wait()
        taking_up.cancel()
        await asyncio.wait([taking_up])


def configure_logging(settings: Settings) -> None:
    """Write structured lines, one event each, to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("pinfold.access").setLevel(logging.INFO if settings.server.access_log else logging.WARNING)
