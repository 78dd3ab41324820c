import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from unittest.mock import Mock

import pytest
from tests.unit.web.connections import MIB, START, FakePresent, FakeTime, Server, get, serving, set_clock, settle

from pinfold.usecases.present import AHEAD_SECONDS as AHEAD
from pinfold.web import request_memory
from pinfold.web.remembering_handler import LONGEST_REQUEST
from pinfold.web.request_memory import HOLDS, RequestMemory


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return set_clock(monkeypatch, FakeTime())


@pytest.fixture
async def server(clock: FakeTime) -> AsyncIterator[Server]:
    async with serving(RequestMemory(MIB, FakePresent(clock))) as server:
        yield server


@pytest.mark.parametrize("path", ["/page", "/large"])
async def test_the_same_request_gets_the_same_bytes_without_being_handled(server: Server, path: str) -> None:
    first, again = server.connect(), server.connect()
    answers = [await first.send(get(path)), await first.send(get(path)), await again.send(get(path))]
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers[1] == answers[2] == answers[0]
    assert server.handled == [f"GET {path}"]


async def test_nothing_is_kept_of_what_came_but_a_copy(server: Server) -> None:
    request = get()
    connection, held = server.connect(), sys.getrefcount(request)
    await connection.send(request)
    assert sys.getrefcount(request) == held
    await connection.send(request)
    assert server.handled == ["GET /page"]


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


async def test_nothing_is_lent_from_one_address_to_another_that_is_not_for_anybody(server: Server) -> None:
    await server.connect("192.0.2.1").send(get())
    await server.connect("192.0.2.2").send(get())
    assert len(server.handled) == 2


async def test_what_is_for_anybody_is_worked_out_for_the_first_who_asks(server: Server) -> None:
    page = get("/page?for=anybody")
    first = await server.connect("192.0.2.1").send(page)
    assert await server.connect("192.0.2.2").send(page) == first
    assert len(server.handled) == 1
    assert server.observed == ["192.0.2.1", "192.0.2.2"]


async def test_a_repetition_is_for_the_address_that_asked_first(server: Server) -> None:
    file = get("/file?for=anybody")
    await server.connect("192.0.2.1").send(file)
    await server.connect("192.0.2.2").send(file)
    assert (len(server.handled), server.repeated) == (2, 0)


async def test_a_refusal_of_one_address_ends_what_all_were_given(server: Server, clock: FakeTime) -> None:
    page = get("/page?for=anybody")
    await server.connect("192.0.2.1").send(page)
    clock.now, server.refuses = START + HOLDS - 0.01, True
    refused = await server.connect("192.0.2.2").send(page)
    assert refused.startswith(b"HTTP/1.1 403 ")
    assert await server.connect("192.0.2.1").send(page) == refused


@pytest.mark.parametrize(
    ("stands_for", "passed"),
    [
        pytest.param(timedelta(days=1), HOLDS, id="as long as stores trust what they read"),
        pytest.param(timedelta(seconds=0.2), 0.2, id="until a decision changes"),
    ],
)
async def test_an_answer_stands_no_longer_than(
    server: Server, clock: FakeTime, stands_for: timedelta, passed: float
) -> None:
    server.stands_for = stands_for
    connection, renewing = server.connect(), server.connect()
    await connection.send(get())
    clock.now = START + passed - 0.01
    await renewing.send(get("/page"), settling=0)
    assert b"first" in await connection.send(get(), settling=0)
    clock.now = START + passed + 0.01
    server.word = "second"
    assert b"second" in await server.connect().send(get())


async def test_one_request_renews_an_answer_before_its_end_while_the_others_are_given_it(
    server: Server, clock: FakeTime
) -> None:
    connections = [server.connect() for _ in range(5)]
    await connections[0].send(get())
    clock.now = START + HOLDS - AHEAD - 0.01
    await connections[0].send(get())
    assert len(server.handled) == 1
    clock.now, server.word = START + HOLDS - 0.01, "second"
    renewing, *others = [await connection.send(get(), settling=0) for connection in connections]
    assert renewing == b""
    assert all(b"first" in answer for answer in others)
    await settle()
    assert b"second" in connections[0].wire.sent
    clock.now = START + HOLDS + 0.01
    assert all([b"second" in await connection.send(get()) for connection in connections[1:]])
    assert len(server.handled) == 2


@pytest.mark.parametrize("path", ["/page", "/file"])
async def test_what_is_refused_when_it_is_renewed_is_given_to_nobody_any_more(
    server: Server, clock: FakeTime, path: str
) -> None:
    renewing, other = server.connect(), server.connect()
    assert b" 200 " in await renewing.send(get(path))
    clock.now, server.refuses = START + HOLDS - 0.01, True
    assert b" 403 " in await renewing.send(get(path))
    assert b" 403 " in await other.send(get(path))
    assert b" 403 " in await renewing.send(get(path))


async def test_who_asked_earlier_and_is_answered_later_does_not_shorten_what_stands(
    server: Server, clock: FakeTime
) -> None:
    earlier, later = server.connect(), server.connect()
    await earlier.send(get("/slow"))
    held_up, server.gate = server.gate, asyncio.Event()
    clock.now += HOLDS - 0.05
    server.gate.set()
    await later.send(get("/slow"))
    held_up.set()
    await settle()
    assert earlier.wire.sent == later.wire.sent != b""
    clock.now += 0.06
    await later.send(get("/slow"))
    assert len(server.handled) == 2


@pytest.mark.parametrize("no_descriptor_is_left", [False, True])
async def test_a_long_answer_that_is_asked_for_again_and_again_stays_the_same(
    server: Server, clock: FakeTime, monkeypatch: pytest.MonkeyPatch, *, no_descriptor_is_left: bool
) -> None:
    if no_descriptor_is_left:
        monkeypatch.setattr(os, "memfd_create", Mock(side_effect=OSError(errno.EMFILE, "no descriptor is left")))
    connection = server.connect()
    first = await connection.send(get("/large"))
    assert await connection.send(get("/large")) == first
    clock.now += HOLDS - 0.01
    for _ in range(3):
        assert await connection.send(get("/large")) == first
    assert len(server.handled) == 2
    assert len(connection.wire.lent) == (0 if no_descriptor_is_left else 3)


async def test_a_clock_that_is_set_back_makes_nothing_stand_longer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SetBack(FakeTime):
        def time(self) -> float:
            return self.now - 3600

    connection, later = server.connect(), SetBack(START + HOLDS + 0.01)
    await connection.send(get())
    set_clock(monkeypatch, later)
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
        get("/page", f"X-Padding: {'x' * LONGEST_REQUEST}"),
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
    server.word = "second"
    server.gate.set()
    await settle()
    answers = bytes(connection.wire.sent)
    assert 0 < answers.index(b"second GET") < answers.index(b"first GET")
    assert server.handled == ["GET /page", "GET /slow"]


async def test_a_request_that_comes_before_aiohttp_waits_for_it_is_answered_at_once(server: Server) -> None:
    page = await server.connect().send(get())
    connection = server.connect()
    connection.handler.data_received(get("/other"))
    while not connection.wire.sent:
        await asyncio.sleep(0)
    before = len(connection.wire.sent)
    connection.handler.data_received(get())
    assert connection.wire.sent[before:] == page


async def test_nothing_is_answered_behind_the_last_answer_of_a_connection(server: Server) -> None:
    await server.connect().send(get())
    connection = server.connect()
    connection.handler.data_received(get("/other", "Connection: close"))
    while not connection.wire.sent:
        await asyncio.sleep(0)
    before = len(connection.wire.sent)
    connection.handler.data_received(get())
    await settle()
    assert connection.wire.closing
    assert len(connection.wire.sent) == before


async def test_what_many_ask_for_at_once_is_worked_out_once(server: Server) -> None:
    connections = [server.connect() for _ in range(5)]
    for connection in connections:
        await connection.send(get("/slow"), settling=3)
    server.gate.set()
    await settle()
    assert len({bytes(connection.wire.sent) for connection in connections}) == 1
    assert server.handled == ["GET /slow"]
    assert len(server.observed) == server.server.requests_count == 5


async def test_a_long_answer_that_many_ask_for_at_once_is_lent_from_the_first(server: Server) -> None:
    connections = [server.connect() for _ in range(3)]
    for connection in connections:
        await connection.send(get("/slow?large"))
    server.gate.set()
    await settle()
    assert len({bytes(connection.wire.sent) for connection in connections}) == 1
    assert [len(connection.wire.lent) for connection in connections] == [0, 1, 1]


async def test_who_waited_for_an_answer_that_does_not_stand_waits_for_no_other(server: Server) -> None:
    server.stands_for = timedelta()
    connections = [server.connect() for _ in range(5)]
    for connection in connections:
        await connection.send(get("/slow"), settling=3)
    assert len(server.handled) == 1
    held_up, server.gate = server.gate, asyncio.Event()
    held_up.set()
    await settle()
    assert len(server.handled) == 5


async def test_nobody_waits_for_an_answer_that_takes_longer_than_one_is_remembered(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_memory, "HOLDS", 0.001)
    await server.connect().send(get("/slow"))
    await server.connect().send(get("/slow"))
    async with asyncio.timeout(30):
        while len(server.handled) < 2:
            await asyncio.sleep(0.001)


async def test_nobody_waits_for_the_end_of_an_answer_that_began(server: Server) -> None:
    for _ in range(2):
        await server.connect().send(get("/streamed?slowly"))
    assert len(server.handled) == 2


async def test_who_waits_goes_on_when_the_request_before_is_cancelled(server: Server) -> None:
    first, second = server.connect(), server.connect()
    await first.send(get("/slow"))
    task = next(task for task in asyncio.all_tasks() if "_handle_request" in repr(task.get_coro()))
    await second.send(get("/slow"))
    task.cancel()
    await settle()
    assert len(server.handled) == 2


async def test_a_request_right_behind_another_does_not_end_remembering(server: Server) -> None:
    connection = server.connect()
    await connection.send(get(), settling=3)
    await connection.send(get("/other"), settling=3)
    await settle()
    await connection.send(get("/third"))
    await connection.send(get("/third"))
    assert server.handled.count("GET /third") == 1


async def test_a_client_that_does_not_read_is_sent_no_more_than_aiohttp_would(server: Server) -> None:
    connection = server.connect()
    page = await connection.send(get())
    connection.handler.pause_writing()
    assert await connection.send(get(), get()) == page
    connection.handler.resume_writing()
    await settle()
    assert connection.wire.sent == page * 3
    assert len(server.handled) == 1


async def test_a_server_that_stops_answers_nothing_more(server: Server) -> None:
    connection = server.connect()
    await connection.send(get())
    connection.handler.close()
    assert await connection.send(get()) == b""


async def test_a_connection_in_use_is_not_closed_as_idle(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, passed = asyncio.get_running_loop(), 0.0
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + passed)
    connection = server.connect(keepalive_timeout=100)
    for _ in range(8):
        await connection.send(get())
        passed += 40
        await settle()
    assert not connection.wire.closing
    assert len(server.handled) == 1
    passed += 101
    await settle()
    assert connection.wire.closing


async def test_memory_is_kept_within_its_budget(clock: FakeTime) -> None:
    async with serving(RequestMemory(300_000, FakePresent(clock))) as server:
        connection = server.connect()
        for path in ("/large", "/large?second", "/large"):
            await connection.send(get(path))
        assert len(server.handled) == 3
