"""Connections to an aiohttp server in memory, with or without a request memory, at a time that stands still."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakSet

import pytest
from aiohttp import helpers, web

from pinfold.domain.errors import PinfoldError
from pinfold.usecases.present import TRUSTED_SECONDS, Present
from pinfold.web import answers, remembering_handler, request_memory
from pinfold.web.remembering_handler import RememberingHandler
from pinfold.web.request_memory import (
    AGAIN,
    BROKEN_OFF,
    FOR_ANYBODY,
    OBSERVED,
    STANDS_UNTIL,
    RequestMemory,
    wait_no_longer,
)

MIB = 1024 * 1024
SILENT = logging.Logger("silent", logging.CRITICAL)
START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC).timestamp()


@dataclass
class FakeTime:
    now: float = START
    gmtime = staticmethod(time.gmtime)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - START


class FakePresent(Present):
    """What answers rest on, looked at whenever it is asked for, unless it cannot be."""

    def __init__(self, clock: FakeTime) -> None:
        super().__init__()
        self.clock = clock
        self.trusted_until = 0.0
        self.looks = 0

    def trust(self) -> None:
        """Look at everything."""
        self.trusted_until = self.clock.monotonic() + TRUSTED_SECONDS

    def stands_until(self, revision: int) -> float:
        return self.trusted_until if revision == self.revision else 0.0

    async def look(self) -> None:
        self.looks += 1
        await asyncio.sleep(0)


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: FakeTime) -> FakeTime:
    """Have the memory, its handler and the dates of answers go by a clock."""
    for module in (answers, request_memory, remembering_handler, helpers):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Wire(asyncio.Transport):
    """One end of a connection, in memory."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.sent = bytearray()
        self.lent: list[int] = []
        """Lengths of what was sent from files."""
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 40000) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closing
        self.sent += data

    def sendfile(self, file: Any, offset: int, count: int) -> None:
        self.lent.append(count)
        self.write(os.pread(file.fileno(), count, offset))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class OpenFile:
    """What is held on to for as long as a request may be repeated."""


@dataclass
class Server:
    """An application whose answers tell all of their requests, and how often each was really worked out."""

    server: web.Server
    memory: RequestMemory | None
    handled: list[str] = field(default_factory=list)
    observed: list[str | None] = field(default_factory=list)
    """The address that each request came from."""
    broken_off: list[str | None] = field(default_factory=list)
    open_files: WeakSet[OpenFile] = field(default_factory=WeakSet)
    repeated: int = 0
    failure: Exception | None = None
    """Of every repetition."""
    fails_late: bool = False
    """When the connection has ended already."""
    stands_for: timedelta = timedelta(days=1)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    word: str = "first"
    refuses: bool = False

    def connect(self, address: str = "192.0.2.1", **options: Any) -> "Connection":
        loop = asyncio.get_running_loop()
        make: Callable[..., web.RequestHandler] = web.RequestHandler
        if self.memory is not None:
            make = RememberingHandler
            options["memory"] = self.memory
        handler = make(self.server, loop=loop, access_log=None, logger=SILENT, **options)
        wire = Wire(address)
        handler.connection_made(wire)
        return Connection(handler, wire)

    def judge(self) -> None:
        if self.refuses:
            raise web.HTTPForbidden

    async def again(self, _: OpenFile, transport: asyncio.Transport, head: bytes) -> None:
        """Answer a request for the file once more, or fail as it is told to."""
        self.repeated += 1
        if isinstance(self.failure, PinfoldError):
            if self.fails_late:
                transport.abort()
            raise self.failure
        await asyncio.sleep(0)
        transport.write(head)
        if self.failure is not None:
            transport.abort()
            raise self.failure
        await asyncio.sleep(0)
        transport.write(b"body")


async def settle(turns: int = 40) -> None:
    """Let the loop do what is to be done."""
    for _ in range(turns):
        await asyncio.sleep(0)


@dataclass
class Connection:
    handler: web.RequestHandler
    wire: Wire

    async def send(self, *segments: bytes, settling: int = 40) -> bytes:
        """Deliver segments one by one, and return what came back."""
        before = len(self.wire.sent)
        for segment in segments:
            if not self.wire.closing:
                self.handler.data_received(segment)
            await settle(settling)
        return bytes(self.wire.sent[before:])

    async def end(self) -> None:
        self.handler.connection_lost(None)
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(memory: RequestMemory | None) -> AsyncIterator[Server]:
    @web.middleware
    async def observe(request: web.Request, handler: Any) -> web.StreamResponse:
        request[OBSERVED] = lambda _, peer: ours.observed.append(peer)
        ours.observed.append(request.remote)
        ours.handled.append(f"{request.method} {request.raw_path}")
        request[BROKEN_OFF] = lambda _, peer: ours.broken_off.append(peer)
        response: web.StreamResponse = await handler(request)
        return response

    async def page(request: web.Request) -> web.StreamResponse:
        request[STANDS_UNTIL] = datetime.fromtimestamp(START, UTC) + ours.stands_for
        request[FOR_ANYBODY] = request.query_string == "for=anybody"
        ours.judge()
        if request.path == "/slow":
            await ours.gate.wait()
        if request.path == "/streamed":
            response = web.StreamResponse()
            response.content_length = 4
            await response.prepare(request)
            if request.query_string == "slowly":
                await ours.gate.wait()
            await response.write(b"body")
            return response
        if request.path == "/file":
            response = web.StreamResponse()
            response.content_length = 4
            await response.prepare(request)
            assert request.transport is not None
            request.transport.write(b"body")
            ours.open_files.add(file := OpenFile())
            request[AGAIN] = partial(ours.again, file)
            return response
        if request.path == "/missing":
            raise web.HTTPNotFound
        if request.path == "/unmarked":
            del request[STANDS_UNTIL]
        if request.headers.get("If-None-Match") == '"tag"':
            return web.Response(status=304, headers={"ETag": '"tag"'})
        content = await request.read()
        size = 200_000 if "large" in request.path_qs else 0
        return web.Response(body=f"{ours.word} {request.method} {request.headers!r} {content!r}".encode() + b"x" * size)

    app = web.Application(middlewares=[observe])
    app.on_response_prepare.append(wait_no_longer)
    app.router.add_route("*", "/{anything:.*}", page)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    assert runner.server is not None
    ours = Server(runner.server, memory)
    try:
        yield ours
    finally:
        await runner.cleanup()


def get(path: str = "/page", *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]).encode()
