"""Whatever changes, and whenever: nothing is answered that a handler would not have answered a moment before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.web.connections import MIB, SILENT, Connection, FakeTime, Wire, get, set_clock, settle

from pinfold.domain.errors import StoreError
from pinfold.usecases import kept as kept_module
from pinfold.usecases import present as present_module
from pinfold.usecases.kept import Kept
from pinfold.usecases.present import TRUSTED_SECONDS, Present
from pinfold.web.remembering_handler import RememberingHandler
from pinfold.web.request_memory import HOLDS, OBSERVED, STANDS_UNTIL, RequestMemory

SEEN_WITHIN = TRUSTED_SECONDS + HOLDS
"""Seconds in which a change holds, whoever makes it."""
STORES = 3
ENDS_EVERY = 8
"""Seconds after which time alone changes every answer."""


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = set_clock(monkeypatch, FakeTime())
    for module in (kept_module, present_module):
        monkeypatch.setattr(module, "monotonic", clock.monotonic)
    return clock


class Store:
    """A number that any process may raise; looks at it may fail, or be slow."""

    def __init__(self, clock: FakeTime, present: Present) -> None:
        self._clock = clock
        self.number = 0
        self.fails = self.is_slow = False
        self.failing_since = clock.now
        self.since = [clock.now]
        """When it became each of its numbers."""
        self.kept = Kept(self._look, -1, present)

    def change(self, *, ours: bool) -> None:
        self.number += 1
        self.since.append(self._clock.now)
        if ours:
            self.kept.distrust()

    def fail(self, *, fails: bool) -> None:
        if fails and not self.fails:
            self.failing_since = self._clock.now
        self.fails = fails

    async def _look(self, before: int) -> int:
        number, fails = self.number, self.fails
        for _ in range(30 if self.is_slow else 1):
            await asyncio.sleep(0)
        if fails:
            raise StoreError("it cannot be read")
        return before if before == number else number

    def was(self, number: int, *, at: float) -> bool:
        """Tell whether it was a number at a moment, or became it later."""
        ended = self.since[number + 1] if number + 1 < len(self.since) else None
        return ended is None or ended >= at


@dataclass
class World:
    """An application that tells what all stores hold, and which of some seconds it is."""

    clock: FakeTime
    stores: Sequence[Store]
    server: web.Server
    memory: RequestMemory
    handled: int = 0
    asked: int = 0
    connections: list[Connection] = field(default_factory=list)
    during: list[tuple[Store, bool]] = field(default_factory=list)
    """What changes while the next answer is worked out, and whether this process changes it."""

    def connect(self) -> None:
        handler = RememberingHandler(
            self.server, self.memory, loop=asyncio.get_running_loop(), access_log=None, logger=SILENT
        )
        wire = Wire("192.0.2.1")
        handler.connection_made(wire)
        self.connections.append(Connection(handler, wire))

    async def _answer(self, connection: Connection, request: bytes) -> bytes:
        before = len(connection.wire.sent)
        answer = await connection.send(request, settling=5)
        async with asyncio.timeout(30):
            while not answer:
                await asyncio.sleep(0)
                answer = bytes(connection.wire.sent[before:])
        # What is done once it is sent.
        await settle()
        return bytes(connection.wire.sent[before:])

    async def ask(self, number: int, path: str) -> None:
        """Ask, and hold what is told to what it may be."""
        self.asked += 1
        now = self.clock.now
        head, _, body = (await self._answer(self.connections[number], get(path))).partition(b"\r\n\r\n")
        late = now - SEEN_WITHIN
        if head.startswith(b"HTTP/1.1 503"):
            assert any(store.fails for store in self.stores)
            return
        assert head.startswith(b"HTTP/1.1 200")
        *numbers, part = map(int, body.split())
        assert part == int(now) // ENDS_EVERY
        for store, told in zip(self.stores, numbers, strict=path == "/all"):
            assert store.was(told, at=late)
            assert not store.fails or store.failing_since >= late


@asynccontextmanager
async def a_world(clock: FakeTime) -> AsyncIterator[World]:
    present = Present()
    stores = [Store(clock, present) for _ in range(STORES)]

    async def tell(request: web.Request) -> web.StreamResponse:
        world.handled += 1
        request[OBSERVED] = lambda *_: None
        try:
            numbers = [await store.kept.current() for store in (stores if request.path == "/all" else stores[:1])]
            while world.during:
                changing, is_ours = world.during.pop()
                changing.change(ours=is_ours)
                await changing.kept.current()
        except StoreError:
            return web.Response(status=503)
        part = int(clock.now) // ENDS_EVERY
        request[STANDS_UNTIL] = datetime.fromtimestamp((part + 1) * ENDS_EVERY, UTC)
        return web.Response(text=" ".join(map(str, [*numbers, part])))

    app = web.Application()
    app.router.add_get("/{anything:.*}", tell)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    assert runner.server is not None
    world = World(clock, stores, runner.server, RequestMemory(MIB, present))
    for store in stores:
        await store.kept.current()
    for _ in range(2):
        world.connect()
    try:
        yield world
    finally:
        for connection in world.connections:
            await connection.end()
        await runner.cleanup()


which = st.integers(0, STORES - 1)
steps = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 1), st.sampled_from(("/all", "/first"))),
    st.tuples(st.just("ask"), st.integers(0, 1), st.sampled_from(("/all", "/first"))),
    st.tuples(st.just("wait"), st.sampled_from((0.01, 0.06, 0.13, 0.2, 0.26, 0.51, 3.0)), st.none()),
    st.tuples(st.just("change"), which, st.booleans()),
    st.tuples(st.just("during"), which, st.booleans()),
    st.tuples(st.just("fail"), which, st.booleans()),
    st.tuples(st.just("slow"), which, st.booleans()),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(steps, min_size=5, max_size=40))
@example(program=[("ask", 0, "/all"), ("wait", 3.0, None), ("change", 0, False), ("ask", 0, "/all")])
@example(
    program=[("ask", 0, "/all"), ("wait", 3.0, None), ("change", 1, False), ("ask", 0, "/first"), ("ask", 0, "/all")]
)
@example(
    program=[
        ("ask", 0, "/all"),
        ("during", 1, True),
        ("wait", 7.0, None),
        ("ask", 0, "/all"),
        ("wait", 0.51, None),
        ("ask", 0, "/all"),
    ]
)
@example(
    program=[
        ("wait", 0.26, None),
        ("during", 0, True),
        ("during", 0, True),
        *[("slow", number, True) for number in range(STORES)],
        ("ask", 0, "/all"),
    ]
)
@example(program=[("ask", 0, "/all"), ("fail", 0, True), ("wait", 3.0, None), ("ask", 0, "/all")])
def test_an_answer_is_what_all_stores_held_a_moment_ago(clock: FakeTime, program: Sequence[tuple[str, ...]]) -> None:
    async def run() -> None:
        async with a_world(clock) as world:
            for step in program:
                match step:
                    case ("ask", int(number), str(path)):
                        await world.ask(number, path)
                    case ("wait", float(seconds), None):
                        clock.now += seconds
                    case ("change", int(number), bool(ours)):
                        world.stores[number].change(ours=ours)
                    case ("during", int(number), bool(ours)):
                        world.during.append((world.stores[number], ours))
                    case ("fail", int(number), bool(fails)):
                        world.stores[number].fail(fails=fails)
                    case ("slow", int(number), bool(slow)):
                        world.stores[number].is_slow = slow

    asyncio.run(run())


async def test_where_nothing_changes_nothing_is_worked_out_anew(clock: FakeTime) -> None:
    async with a_world(clock) as world:
        for pause in (0.05, 0.2, 0.3, 1.0) * 3:
            await world.ask(0, "/all")
            clock.now += pause
        assert (world.asked, world.handled) == (12, 1)
