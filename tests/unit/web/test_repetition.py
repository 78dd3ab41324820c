import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from tests.unit.web.connections import MIB, START, FakePresent, FakeTime, Server, get, serving, set_clock, settle

from pinfold.domain.errors import StoreError
from pinfold.web.request_memory import HOLDS, RequestMemory


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return set_clock(monkeypatch, FakeTime(START + 0.1))


@pytest.fixture
async def server(clock: FakeTime) -> AsyncIterator[Server]:
    async with serving(RequestMemory(MIB, FakePresent(clock))) as server:
        yield server


async def test_the_same_request_is_answered_the_same_by_what_repeats_it(server: Server) -> None:
    connection = server.connect()
    answers = [await connection.send(get("/file")) for _ in range(3)]
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers[0].endswith(b"\r\n\r\nbody")
    assert answers[1] == answers[2] == answers[0]
    assert server.handled == ["GET /file"]
    assert server.repeated == 2
    assert len(server.observed) == server.server.requests_count == 3


async def test_a_repetition_stands_no_longer_than_any_answer(server: Server, clock: FakeTime) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    clock.now += HOLDS + 0.01
    await connection.send(get("/file"))
    assert (len(server.handled), server.repeated) == (2, 0)


async def test_what_waited_behind_another_request_is_not_repeated_once_it_stands_no_longer(
    server: Server, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    await connection.send(get("/slow"), get("/file"))
    clock.now += HOLDS + 0.01
    server.gate.set()
    await settle()
    assert server.handled == ["GET /file", "GET /slow", "GET /file"]
    assert server.repeated == 0


async def test_what_stands_no_longer_keeps_no_file_open(server: Server, clock: FakeTime) -> None:
    connection = server.connect()
    for number in range(100):
        await connection.send(get(f"/file?{number}"))
        clock.now += HOLDS / 10
    gc.collect()
    assert len(server.handled) == 100
    assert 0 < len(server.open_files) <= 12


async def test_nothing_is_repeated_for_another_address(server: Server) -> None:
    await server.connect("192.0.2.1").send(get("/file"))
    await server.connect("192.0.2.2").send(get("/file"))
    assert (len(server.handled), server.repeated) == (2, 0)


async def test_what_comes_meanwhile_waits_for_the_end(server: Server) -> None:
    connection = server.connect()
    file = await connection.send(get("/file"))
    page = await connection.send(get("/page"))
    await connection.send(get("/file"), settling=2)
    await connection.send(get("/page"))
    assert connection.wire.sent.endswith(page + file + page)
    assert server.repeated == 1


async def test_a_request_that_comes_before_aiohttp_waits_for_it_is_repeated_too(server: Server) -> None:
    connection = server.connect()
    file = await connection.send(get("/file"))
    await connection.send(get("/file"), settling=4)
    await connection.send(get("/file"))
    assert bytes(connection.wire.sent) == file * 3
    assert (len(server.handled), server.repeated) == (1, 2)


async def test_what_comes_right_behind_is_not_taken_for_the_same(server: Server) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    both = await connection.send(get("/file") + get("/file"))
    assert both.count(b"body") == 2
    assert (len(server.handled), server.repeated) == (3, 0)


async def test_where_nothing_can_be_recorded_the_request_is_handled_as_if_it_were_the_first(server: Server) -> None:
    connection = server.connect()
    first = await connection.send(get("/file"))
    server.failure = StoreError("no space left")
    assert await connection.send(get("/file")) == first
    assert (len(server.handled), server.repeated) == (2, 1)
    assert len(server.observed) == 2
    assert server.broken_off == []


async def test_what_cannot_even_be_recorded_as_broken_off_is_not_begun_anew(server: Server) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    server.failure, server.fails_late = StoreError("no space left"), True
    await connection.send(get("/file"))
    assert len(server.handled) == 1
    assert (len(server.observed), len(server.broken_off)) == (1, 1)
    await connection.end()


@pytest.mark.parametrize("failure", [ConnectionResetError(), TimeoutError(), OSError("the disk fails")])
async def test_what_breaks_off_ends_the_connection_and_is_counted_so(server: Server, failure: Exception) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    server.failure = failure
    answer = await connection.send(get("/file"))
    assert connection.wire.closing
    assert answer.count(b"HTTP/1.1") == 1
    assert b"body" not in answer
    assert (len(server.observed), len(server.broken_off)) == (1, 1)
    await connection.end()


async def test_a_repetition_that_is_cancelled_is_counted_as_broken_off(server: Server) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    await connection.send(get("/file"), settling=2)
    task = next(task for task in asyncio.all_tasks() if "_handle_request" in repr(task.get_coro()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (len(server.observed), len(server.broken_off)) == (1, 1)
    await connection.end()
