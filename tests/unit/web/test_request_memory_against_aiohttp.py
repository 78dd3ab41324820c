"""Whatever arrives, and however it is cut, is answered with the bytes that aiohttp alone answers."""

import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.web.connections import MIB, FakePresent, FakeTime, Server, get, serving, set_clock

from pinfold.web.request_memory import HOLDS, RequestMemory


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return set_clock(monkeypatch, FakeTime())


REQUESTS: Sequence[bytes] = (
    get(),
    get(),
    get("/page", "Authorization: Bearer x"),
    get("/page", 'If-None-Match: "tag"'),
    get("/large"),
    get("/page?for=anybody"),
    get("/large?for=anybody"),
    get("/file"),
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
conversations = st.tuples(programs, cuts)


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


async def _talk(server: Server, *conversations: Sequence[tuple[bytes, int]]) -> list[tuple[bytes, bool]]:
    """Return what each of several clients is told that come at once, and whether its connection is closed."""
    connections = [server.connect(f"192.0.2.{number % 2}") for number, _ in enumerate(conversations)]
    for turn in itertools.zip_longest(*conversations):
        for connection, arriving in zip(connections, turn, strict=True):
            if arriving is not None:
                await connection.send(arriving[0], settling=arriving[1])
    told = []
    for connection in connections:
        await connection.send(b"\r\n", settling=150)
        told.append((bytes(connection.wire.sent), connection.wire.closing))
        await connection.end()
    return told


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conversations=st.lists(conversations, min_size=1, max_size=3),
    is_warm=st.booleans(),
    passed=st.sampled_from((0.0, HOLDS - 0.01, 1.0, 3600.0)),
)
def test_nothing_is_answered_otherwise_than_by_aiohttp(
    clock: FakeTime,
    conversations: Sequence[tuple[Sequence[tuple[bytes, int]], Sequence[int]]],
    *,
    is_warm: bool,
    passed: float,
) -> None:
    async def compare() -> None:
        arriving, present = [segments(program, cuts) for program, cuts in conversations], FakePresent(clock)
        async with serving(None) as plain, serving(RequestMemory(MIB, present)) as remembering:
            for _ in range(2 if is_warm else 0):
                # What is renewed may be sent in another way than what was asked for once.
                clock.now += HOLDS - 0.01
                for request in dict.fromkeys(each for program, _ in conversations for each, _ in program):
                    await _talk(remembering, [(request, 40)])
            clock.now += passed
            present.trust()
            remembering.handled.clear()
            remembering.observed.clear()
            assert await _talk(remembering, *arriving) == await _talk(plain, *arriving)
            assert len(remembering.handled) <= len(plain.handled)
            assert len(remembering.observed) == len(plain.observed)
            assert remembering.broken_off == []

    asyncio.run(compare())
