"""Whatever arrives, and however it is cut, is answered with the bytes that aiohttp alone answers."""

import asyncio
import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.web.connections import MIB, FakeTime, Server, get, serving

from pinfold.web import request_memory
from pinfold.web.request_memory import HOLDS, RequestMemory


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(request_memory, "time", clock)
    return clock


REQUESTS: Sequence[bytes] = (
    get(),
    get(),
    get("/page", "Authorization: Bearer x"),
    get("/page", 'If-None-Match: "tag"'),
    get("/large"),
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


def undated(answers: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"Date: then", answers)


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
    clock: FakeTime, program: Sequence[tuple[bytes, int]], cuts: Sequence[int]
) -> None:
    async def compare() -> None:
        arriving = segments(program, cuts)
        async with serving(None) as plain, serving(RequestMemory(MIB)) as remembering:
            expected = await _talk(plain, arriving)
            for _ in range(2):
                # What is renewed is sent in another way than what was asked for once.
                clock.now += HOLDS - 0.01
                for request in dict.fromkeys(each for each, _ in program):
                    await _talk(remembering, [(request, 40)])
            remembering.handled.clear()
            remembering.observed.clear()
            assert await _talk(remembering, arriving) == expected
            assert len(remembering.handled) <= len(plain.handled)
            assert len(remembering.observed) == len(plain.observed)
            assert remembering.broken_off == []

    asyncio.run(compare())
