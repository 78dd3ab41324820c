"""Answers stand for as long as nothing changes that they rest on, and are dated as of when they are given."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from tests.unit.web.connections import MIB, FakePresent, FakeTime, Server, get, serving, set_clock, settle

from pinfold.usecases.present import TRUSTED_SECONDS
from pinfold.web import answers
from pinfold.web.answers import OVERHEAD, Answer, Answers, Head
from pinfold.web.payload import Lent
from pinfold.web.request_memory import HOLDS, RequestMemory


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return set_clock(monkeypatch, FakeTime())


@pytest.fixture
def present(clock: FakeTime) -> FakePresent:
    return FakePresent(clock)


@pytest.fixture
async def server(present: FakePresent) -> AsyncIterator[Server]:
    async with serving(RequestMemory(MIB, present)) as server:
        yield server


def date_of(answer: bytes) -> float:
    (date,) = re.findall(rb"\r\nDate: ([^\r]{29})\r\n", answer)
    return parsedate_to_datetime(date.decode()).timestamp()


async def test_an_answer_stands_for_as_long_as_nothing_changes(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    for _ in range(500):
        present.trust()
        await connection.send(get())
        clock.now += 0.2
    assert len(server.handled) == 1
    assert len(server.observed) == server.server.requests_count == 500


@pytest.mark.parametrize("path", ["/page", "/page?large", "/page?304"])
async def test_it_is_dated_as_of_when_it_is_given_and_is_the_same_otherwise(
    server: Server, present: FakePresent, clock: FakeTime, path: str
) -> None:
    request = get(path, 'If-None-Match: "tag"') if "304" in path else get(path)
    connection, first = server.connect(), await server.connect().send(request)
    assert date_of(first) == int(clock.now)
    for _ in range(30):
        clock.now += 0.37
        present.trust()
        given = await connection.send(request, settling=1)
        assert date_of(given) == int(clock.now)
        assert re.sub(rb"Date: [^\r]+", b"", given) == re.sub(rb"Date: [^\r]+", b"", first)
    assert len(server.handled) == 1


async def test_after_a_change_it_stands_no_longer_than_what_stores_trusted_when_it_was_seen(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get())
    clock.now += 60
    present.trust()
    await connection.send(get())
    present.change()
    server.word = "second"
    clock.now += TRUSTED_SECONDS + 0.01
    present.trust()
    assert b"second" in await connection.send(get())
    assert len(server.handled) == 2


async def test_a_change_while_it_was_worked_out_ends_it_as_well(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get("/slow"))
    present.change()
    server.gate.set()
    await settle()
    clock.now += HOLDS + 0.01
    present.trust()
    await connection.send(get("/slow"))
    assert len(server.handled) == 2


async def test_after_a_change_one_request_renews_it_while_the_others_are_given_it(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connections = [server.connect() for _ in range(5)]
    await connections[0].send(get())
    clock.now += 60
    present.trust()
    await connections[0].send(get())
    assert len(server.handled) == 1
    clock.now += 0.2
    present.change()
    given = [await connection.send(get(), settling=0) for connection in connections]
    await settle()
    assert len(server.handled) == 1, "what stores trust until then, everybody may be told"
    assert all(given)


async def test_where_nobody_asked_for_a_while_it_is_given_once_everything_was_looked_at(
    server: Server, present: FakePresent, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look() -> None:
        present.looks += 1
        present.trust()

    monkeypatch.setattr(present, "look", look)
    connection, first = server.connect(), await server.connect().send(get())
    clock.now += 3600
    assert date_of(await connection.send(get())) == date_of(first) + 3600
    assert (len(server.handled), present.looks) == (1, 1)
    assert len(server.observed) == server.server.requests_count == 2


async def test_what_was_seen_after_somebody_asked_is_current_for_them_however_late_their_turn_comes(
    server: Server, present: FakePresent, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look() -> None:
        present.trust()
        clock.now += 2 * TRUSTED_SECONDS

    monkeypatch.setattr(present, "look", look)
    connection = server.connect()
    await connection.send(get())
    clock.now += 60
    await connection.send(get())
    assert len(server.handled) == 1


async def test_what_cannot_be_looked_at_lets_nothing_be_given(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get())
    clock.now += HOLDS + 0.01
    await connection.send(get())
    assert (len(server.handled), present.looks) == (2, 1)


async def test_what_a_change_ended_is_not_looked_at_once_more(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get())
    present.change()
    clock.now += HOLDS + 0.01
    await connection.send(get())
    assert (len(server.handled), present.looks) == (2, 0)


async def test_time_ends_it_whatever_stands(server: Server, present: FakePresent, clock: FakeTime) -> None:
    server.stands_for = timedelta(seconds=100)
    connection = server.connect()
    await connection.send(get())
    for ahead in (50, 99.9):
        clock.now += ahead - (clock.monotonic())
        present.trust()
        await connection.send(get())
    assert len(server.handled) == 1
    clock.now += 0.11
    present.trust()
    await connection.send(get())
    assert len(server.handled) == 2


@pytest.mark.parametrize("seconds", [3600, -3600], ids=["forward", "back"])
async def test_a_clock_that_is_set_ends_what_ends_by_then_or_was_said_later(
    server: Server, present: FakePresent, clock: FakeTime, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    class Set(FakeTime):
        def time(self) -> float:
            return self.now + seconds

    server.stands_for = timedelta(minutes=10)
    connection = server.connect()
    await connection.send(get())
    later = set_clock(monkeypatch, Set(clock.now + TRUSTED_SECONDS + 0.01))
    present.clock = later
    present.trust()
    await connection.send(get())
    assert len(server.handled) == 2


async def test_a_download_stands_for_a_moment_whatever_stands_longer(
    server: Server, present: FakePresent, clock: FakeTime
) -> None:
    connection = server.connect()
    await connection.send(get("/file"))
    clock.now += HOLDS + 0.01
    present.trust()
    await connection.send(get("/file"))
    assert (len(server.handled), server.repeated) == (2, 0)


async def test_a_download_that_is_repeated_is_dated_as_of_now(server: Server, clock: FakeTime) -> None:
    clock.now += 0.95
    connection = server.connect()
    first = await connection.send(get("/file"))
    clock.now += 0.1
    assert date_of(await connection.send(get("/file"))) == date_of(first) + 1
    assert server.repeated == 1


async def test_a_file_in_memory_is_not_held_for_what_is_not_asked_for_any_more(server: Server) -> None:
    gc.collect()
    connection, before = server.connect(), Lent._held
    for _ in range(3):
        await connection.send(get("/large"))
    assert Lent._held == before + 1
    await asyncio.sleep(1.1)
    gc.collect()
    assert Lent._held == before


def an_answer(request: bytes, body: bytes, revision: int = 0) -> Answer:
    return Answer(Head(b"", b""), lambda *_: None, 0.0, (None, request), body, revision, 0.0, 0.0)


def test_a_body_that_answers_have_in_common_counts_once() -> None:
    body, other = b"x" * 10_000, b"y" * 10_000
    kept = Answers(10 * (OVERHEAD + 5) + 15_000)
    for number in range(10):
        kept.put(an_answer(f"{number:5}".encode(), body))
    assert all(kept.get((None, f"{number:5}".encode())) for number in range(10))
    first = kept.get((None, b"    0"))
    assert first is not None
    kept.use(first)
    kept.put(an_answer(b"other", other))
    left = [number for number in range(10) if kept.get((None, f"{number:5}".encode()))]
    assert left == [0, 5, 6, 7, 8, 9], "as long as one of them is there, so is the body"


def test_a_body_counts_for_as_long_as_any_answer_has_it() -> None:
    body = b"x" * 10_000
    kept = Answers(4 * (OVERHEAD + 5) + 10_000)
    for _ in range(3):
        for number in range(4):
            kept.put(an_answer(f"{number:5}".encode(), body))
    assert all(kept.get((None, f"{number:5}".encode())) for number in range(4))
    kept.put(an_answer(b"    4", body))
    assert [number for number in range(5) if kept.get((None, f"{number:5}".encode()))] == [1, 2, 3, 4]


def test_an_answer_that_exceeds_the_whole_budget_is_not_kept() -> None:
    kept = Answers(10_000)
    kept.put(an_answer(b"large", b"x" * 10_000))
    assert kept.get((None, b"large")) is None
    kept.put(an_answer(b"small", b"x"))
    assert kept.get((None, b"small"))


def test_what_a_change_ended_is_let_go_little_by_little() -> None:
    kept = Answers(MIB)
    for number in range(100):
        kept.put(an_answer(f"{number:5}".encode(), b"x", revision=number // 50))
    kept.let_go(1, now=1.0)
    left = [number for number in range(100) if kept.get((None, f"{number:5}".encode()))]
    assert left == list(range(answers.SWEPT, 100))
    for _ in range(10):
        kept.let_go(1, now=1.0)
    assert [number for number in range(100) if kept.get((None, f"{number:5}".encode()))] == list(range(50, 100))
