import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinfold.web import request_memory
from pinfold.web.request_memory import HOLDS, OBSERVED, STANDS_UNTIL, RememberingHandler, RequestMemory

MIB = 1024 * 1024
SILENT = logging.Logger("silent", logging.CRITICAL)
START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC).timestamp()


@dataclass
class FakeTime:
    now: float = START

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - START


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(request_memory, "time", clock)
    return clock


class Wire(asyncio.Transport):
    """One end of a connection, in memory."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.sent = bytearray()
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 40000) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closing
        self.sent += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass
class Server:
    """An application whose answers tell all of their requests, and how often each was really worked out."""

    server: web.Server
    memory: RequestMemory | None
    handled: list[str] = field(default_factory=list)
    observed: list[float] = field(default_factory=list)
    stands_for: timedelta = timedelta(days=1)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    word: str = "first"

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
            for _ in range(settling):
                await asyncio.sleep(0)
        return bytes(self.wire.sent[before:])

    async def end(self) -> None:
        self.handler.connection_lost(None)
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(memory: RequestMemory | None) -> AsyncIterator[Server]:
    @web.middleware
    async def observe(request: web.Request, handler: Any) -> web.StreamResponse:
        request[OBSERVED] = ours.observed.append
        ours.observed.append(0.0)
        ours.handled.append(f"{request.method} {request.raw_path}")
        response: web.StreamResponse = await handler(request)
        return response

    async def page(request: web.Request) -> web.StreamResponse:
        request[STANDS_UNTIL] = datetime.fromtimestamp(START, UTC) + ours.stands_for
        if request.path == "/slow":
            await ours.gate.wait()
        if request.path == "/streamed":
            response = web.StreamResponse()
            response.content_length = 4
            await response.prepare(request)
            await response.write(b"body")
            return response
        if request.path == "/missing":
            raise web.HTTPNotFound
        if request.path == "/unmarked":
            del request[STANDS_UNTIL]
        if request.headers.get("If-None-Match") == '"tag"':
            return web.Response(status=304, headers={"ETag": '"tag"'})
        content = await request.read()
        size = 200_000 if request.path == "/large" else 0
        return web.Response(body=f"{ours.word} {request.method} {request.headers!r} {content!r}".encode() + b"x" * size)

    app = web.Application(middlewares=[observe])
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


def undated(answers: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"Date: then", answers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving(RequestMemory(MIB)) as server:
        yield server


@pytest.mark.parametrize("path", ["/page", "/large"])
async def test_the_same_request_gets_the_same_bytes_without_being_handled(server: Server, path: str) -> None:
    first, again = server.connect(), server.connect()
    answers = [await first.send(get(path)), await first.send(get(path)), await again.send(get(path))]
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers[1] == answers[2] == answers[0]
    assert server.handled == [f"GET {path}"]


async def test_every_request_is_counted(server: Server) -> None:
    connection = server.connect()
    for _ in range(3):
        await connection.send(get())
    assert len(server.observed) == 3
    assert server.server.requests_count == 3


async def test_a_conditional_request_is_remembered_as_such(server: Server) -> None:
    connection = server.connect()
    conditional = get("/page", 'If-None-Match: "tag"')
    first = await connection.send(conditional)
    assert first.startswith(b"HTTP/1.1 304 Not Modified\r\n")
    assert await connection.send(conditional) == first
    assert (await connection.send(get())).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(server.handled) == 2


@pytest.mark.parametrize(
    "field", ["Authorization: Bearer other", "Accept-Encoding: gzip", "X-Forwarded-For: 192.0.2.9"]
)
async def test_other_bytes_are_another_request(server: Server, field: str) -> None:
    connection = server.connect()
    await connection.send(get("/page", "Authorization: Bearer mine"))
    await connection.send(get("/page", field))
    assert len(server.handled) == 2


async def test_nothing_is_lent_from_one_address_to_another(server: Server) -> None:
    await server.connect("192.0.2.1").send(get())
    await server.connect("192.0.2.2").send(get())
    assert len(server.handled) == 2


@pytest.mark.parametrize(
    ("offset", "stands_for", "passed"),
    [
        pytest.param(0.1, timedelta(days=1), HOLDS + 0.01, id="as long as stores trust what they read"),
        pytest.param(0.9, timedelta(days=1), 0.11, id="until the date changes"),
        pytest.param(0.1, timedelta(seconds=0.2), 0.11, id="until a decision changes"),
    ],
)
async def test_an_answer_stands_no_longer_than(
    server: Server, clock: FakeTime, offset: float, stands_for: timedelta, passed: float
) -> None:
    server.stands_for = stands_for
    clock.now = START + offset
    connection = server.connect()
    await connection.send(get())
    clock.now = START + offset + passed - 0.02
    await connection.send(get())
    assert len(server.handled) == 1
    server.word, clock.now = "second", START + offset + passed
    assert b"second" in await connection.send(get())


async def test_a_clock_that_is_set_back_makes_nothing_stand_longer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SetBack(FakeTime):
        def time(self) -> float:
            return self.now - 3600

    connection, later = server.connect(), SetBack(START + HOLDS + 0.01)
    await connection.send(get())
    monkeypatch.setattr(request_memory, "time", later)
    await connection.send(get())
    assert len(server.handled) == 2


@pytest.mark.parametrize(
    "request_",
    [
        get(method="HEAD"),
        get(method="POST"),
        get("/page", "Content-Length: 2", method="POST") + b"ab",
        get("/page", "Content-Length: 2") + b"ab",
        get("/page", "Transfer-Encoding: chunked") + b"2\r\nab\r\n0\r\n\r\n",
        get("/page", "Connection: close"),
        get(version="1.0"),
        get("/page", "Upgrade: websocket", "Connection: Upgrade"),
        get("/page", f"X-Padding: {'x' * request_memory.LONGEST_REQUEST}"),
        get("/page", "Expect: 100-continue"),
        get("/streamed"),
        get("/missing"),
        get("/unmarked"),
    ],
)
async def test_what_is_not_plain_is_always_handled(server: Server, request_: bytes) -> None:
    for _ in range(2):
        await server.connect().send(request_)
    assert len(server.handled) == 2


async def test_a_request_that_comes_in_pieces_is_aiohttps(server: Server) -> None:
    whole, pieces = server.connect(), server.connect()
    expected = await whole.send(get())
    assert await pieces.send(get()[:10], get()[10:]) == expected
    # Even a piece that is, by itself, a request that is remembered.
    assert (await pieces.send(get()[:-2])) == b""
    assert b"400 Bad Request" in await pieces.send(get())


async def test_a_body_that_looks_like_a_request_is_none(server: Server) -> None:
    connection = server.connect()
    await connection.send(get())
    await connection.send(get("/other", f"Content-Length: {len(get())}", method="POST"))
    answer = await connection.send(get())
    assert server.handled == ["GET /page", "POST /other"]
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_no_answer_overtakes_an_earlier_one(server: Server) -> None:
    await server.connect().send(get())
    connection = server.connect()
    assert await connection.send(get("/slow"), get()) == b""
    server.gate.set()
    answers = await connection.send()
    for _ in range(40):
        await asyncio.sleep(0)
    answers = bytes(connection.wire.sent)
    assert answers.index(b"first GET") < answers.rindex(b"first GET")
    assert server.handled == ["GET /page", "GET /slow", "GET /page"]


async def test_a_request_right_behind_another_does_not_end_remembering(server: Server) -> None:
    connection = server.connect()
    await connection.send(get(), settling=3)
    await connection.send(get("/other"), settling=3)
    await connection.send()
    await asyncio.sleep(0.01)
    await connection.send(get("/third"))
    await connection.send(get("/third"))
    assert server.handled.count("GET /third") == 1


async def test_a_connection_that_does_not_take_more_is_left_to_aiohttp(server: Server) -> None:
    connection = server.connect()
    await connection.send(get())
    connection.handler.pause_writing()
    await connection.send(get())
    assert len(server.handled) == 2


async def test_a_server_that_stops_answers_nothing_more(server: Server) -> None:
    connection = server.connect()
    await connection.send(get())
    connection.handler.close()
    assert await connection.send(get()) == b""


async def test_a_connection_in_use_is_not_closed_as_idle(server: Server) -> None:
    connection = server.connect(keepalive_timeout=0.08)
    for _ in range(8):
        await connection.send(get())
        await asyncio.sleep(0.03)
    assert not connection.wire.closing
    assert len(server.handled) == 1
    await asyncio.sleep(0.2)
    assert connection.wire.closing


async def test_memory_is_kept_within_its_budget() -> None:
    async with serving(RequestMemory(300_000)) as server:
        connection = server.connect()
        for path in ("/large", "/large?second", "/large"):
            await connection.send(get(path))
        assert len(server.handled) == 3


REQUESTS: Sequence[bytes] = (
    get(),
    get(),
    get("/page", "Authorization: Bearer x"),
    get("/page", 'If-None-Match: "tag"'),
    get("/large"),
    get("/missing"),
    get("/page", "Connection: close"),
    get("/page", "Connection: keep-alive"),
    get("/page", "Expect: 100-continue"),
    get("/page", "Upgrade: h2c", "Connection: Upgrade"),
    get("/page", "Content-Length: 3") + b"abc",
    get("/page", f"Content-Length: {len(get())}") + get(),
    get("/page", "Content-Length: 0"),
    get("/page", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    get("/page", "Transfer-Encoding: chunked"),
    get("/page", "Transfer-Encoding: chunked", "Content-Length: 3") + b"0\r\n\r\n",
    get(method="HEAD"),
    get(method="POST"),
    get(version="1.0"),
    get("/page", " folded"),
    get("/page", "Bad Name: x"),
    b"\r\n" + get(),
    get() + b"\r\n\r\n",
    get().replace(b"\r\n", b"\n"),
    get()[:-2],
    get()[:20],
    b"\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET /page HTTP/1.1\r\n\r\n",
)
programs = st.lists(st.tuples(st.sampled_from(REQUESTS), st.integers(0, 12)), min_size=1, max_size=8)
cuts = st.lists(st.integers(0, 400), max_size=3)


def segments(program: Sequence[tuple[bytes, int]], cuts: Sequence[int]) -> list[tuple[bytes, int]]:
    """Return requests as they arrive: one by one, or together, or cut anywhere."""
    arriving: list[tuple[bytes, int]] = []
    for request, settling in program:
        if arriving and settling == 0:
            arriving[-1] = (arriving[-1][0] + request, 40)
        else:
            arriving.append((request, 40 if settling > 6 else settling))
    for cut in cuts:
        position = cut % len(arriving)
        whole, settling = arriving[position]
        at = cut % (len(whole) + 1)
        arriving[position : position + 1] = [(whole[:at], cut % 5), (whole[at:], settling)]
    return [(segment, settling) for segment, settling in arriving if segment]


async def _talk(server: Server, arriving: Sequence[tuple[bytes, int]]) -> tuple[bytes, bool]:
    connection = server.connect()
    for segment, settling in arriving:
        await connection.send(segment, settling=settling)
    await connection.send(b"\r\n", settling=150)
    said, closed = bytes(connection.wire.sent), connection.wire.closing
    await connection.end()
    return undated(said), closed


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(programs, cuts)
def test_nothing_is_answered_otherwise_than_by_aiohttp(
    program: Sequence[tuple[bytes, int]], cuts: Sequence[int]
) -> None:
    async def compare() -> None:
        arriving = segments(program, cuts)
        async with serving(None) as plain, serving(RequestMemory(MIB)) as remembering:
            expected = await _talk(plain, arriving)
            for request in dict.fromkeys(each for each, _ in program):
                await _talk(remembering, [(request, 40)])
            remembering.handled.clear()
            remembering.observed.clear()
            assert await _talk(remembering, arriving) == expected
            assert len(remembering.handled) <= len(plain.handled)
            assert len(remembering.observed) == len(plain.observed)

    asyncio.run(compare())
