"""Connections, from listening sockets to a protocol.

aiofastnet's transports write without copying, and they have sendfile under uvloop, which lacks it. Its own server
trips over itself when no file descriptor is left, so that connections are accepted here.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Final

import aiofastnet

log = logging.getLogger(__name__)

BACKLOG: Final = 1024
"""Connections that may wait while a process is busy, or is replaced."""
RETRY_SECONDS: Final = 1.0
"""How long no connection is accepted after one could not be."""


class Acceptor:
    """Accepts connections on sockets that somebody else owns, from `start` to `stop`."""

    def __init__(self, protocol: Callable[[], asyncio.BaseProtocol], sockets: Iterable[socket.socket]) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._sockets = tuple(sockets)
        self._connecting: set[asyncio.Task[object]] = set()
        self._retries: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begin to accept."""
        for listening in self._sockets:
            listening.settimeout(0)
            listening.listen(BACKLOG)
            self._loop.add_reader(listening, self._accept, listening)

    async def stop(self) -> None:
        """Accept no more; what was accepted is with its protocol on return. Those who come wait for the next owner."""
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        for retry in self._retries.values():
            retry.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no connection can be accepted for %g s: %s", RETRY_SECONDS, error)
                self._loop.remove_reader(listening)
                self._retries[listening] = self._loop.call_later(RETRY_SECONDS, self._retry, listening)
                return
            connection.settimeout(0)
            connecting = asyncio.ensure_future(self._connect(connection))
            self._connecting.add(connecting)
            connecting.add_done_callback(self._connecting.discard)

    def _retry(self, listening: socket.socket) -> None:
        del self._retries[listening]
        self._loop.add_reader(listening, self._accept, listening)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await aiofastnet.connect_accepted_socket(self._loop, self._protocol, connection)
        except OSError:
            # The client has gone already.
            connection.close()
