"""Everything real but time: what a server remembers is what it would answer, whoever changed whatever meanwhile."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.e2e.http.addresses import address
from tests.fakes.upstream import FakeFile, FakeUpstream
from tests.unit.web.connections import SILENT, Connection, FakeTime, Wire, get, set_clock

from pinfold.adapters.system_clock import SystemClock
from pinfold.advisories.osv_record import Record
from pinfold.bootstrap import Installation, open_installation
from pinfold.domain.access import Role, Scope
from pinfold.domain.advisory import AdvisoryKind, Claim
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidRecord
from pinfold.domain.pins import Pin, PinAct, PinSet, PinSetVersion, pins_digest
from pinfold.domain.target import parse_target
from pinfold.settings import load_settings
from pinfold.usecases import kept, present
from pinfold.usecases.present import TRUSTED_SECONDS
from pinfold.usecases.quarantine import Quarantine
from pinfold.usecases.tokens import Tokens
from pinfold.usecases.waive import Waive
from pinfold.web.app import build_app
from pinfold.web.remembering_handler import RememberingHandler
from pinfold.web.request_memory import HOLDS, RequestMemory

KIM = Actor("kim")
HELD = TRUSTED_SECONDS + HOLDS + 0.01
"""Seconds after which whatever was changed holds."""
JSON = "Accept: application/vnd.pypi.simple.v1+json"
FRESH_FOR = 300
TARGETS = ("six", "young", "young==1.0")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = set_clock(monkeypatch, FakeTime())
    for module in (kept, present):
        monkeypatch.setattr(module, "monotonic", clock.monotonic)
    monkeypatch.setattr(SystemClock, "now", lambda _: datetime.fromtimestamp(clock.now, UTC))
    return clock


@dataclass
class World:
    """A server with and one without a memory over the same application, and what changes from another process."""

    clock: FakeTime
    upstream: FakeUpstream
    six: FakeFile
    ours: Installation
    theirs: Installation
    remembering: Connection
    elsewhere: Connection
    """With the same memory, from another address."""
    plain: Connection
    requests: list[bytes] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    waivers: list[str] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def compare(self) -> None:
        """Ask for everything, and hold what is told to what is worked out anew."""
        for request in self.requests:
            given = await _ask(self.remembering, request)
            assert given == await _ask(self.plain, request), request
            # Tokens that fail are counted against each address by itself.
            assert b"Authorization" in request or given == await _ask(self.elsewhere, request), request

    async def change(self, what: str, target: str, *, ours: bool) -> None:
        """Change something, as this process or as another one."""
        by, number = self.ours if ours else self.theirs, next(self.numbers)
        match what:
            case "hold":
                record = await Quarantine(by.records, by.clock).add(parse_target(target), "found bad", None, KIM)
                self.records.append(record.id)
            case "release" if self.records:
                await Quarantine(by.records, by.clock).release(self.records.pop(), "looked at", KIM)
            case "waive":
                ends = by.clock.now() + timedelta(minutes=number)
                waiver = await Waive(by.records, by.clock).add(parse_target(target), "minimum-age", "known", ends, KIM)
                self.waivers.append(waiver.id)
            case "unwaive" if self.waivers:
                await Waive(by.records, by.clock).revoke(self.waivers.pop(), KIM)
            case "revoke" if self.tokens:
                await Tokens(by.tokens, by.clock, by.indexes).revoke(self.tokens.pop(), KIM)
            case "pin":
                now, number = by.clock.now(), len(await by.pins.history("prod")) + 1
                await by.pins.add(_pins(number, self.six.sha256, now), Entry(Action.PIN_IMPORT, now, KIM))
            case "advise":
                claim = Claim(f"MAL-{number}", AdvisoryKind.MALWARE, frozenset(("1.0",)))
                generation = await by.advisories.load("osv", [Record(claim.id, by.clock.now(), ((target, claim),))])
                await by.advisories.switch("osv", generation, by.clock.now())
            case "publish":
                # Upstream: it is heard of once its page is not fresh any more.
                self.upstream.add_file("six", f"2.{number}", upload_time=by.clock.now() - timedelta(days=number % 5))
            case "status":
                self.upstream.set_status("six", "archived" if number % 2 else None)


def _pins(number: int, sha256: str, at: datetime) -> PinSet:
    pins = (Pin("six", "1.0", sha256),) if number % 2 else ()
    head = PinSetVersion("prod", number, PinAct.IMPORT, "kim", at, ("uv.lock",), len(pins), pins_digest(pins))
    return PinSet(head, pins)


async def _ask(connection: Connection, request: bytes) -> bytes:
    before = len(connection.wire.sent)
    connection.handler.data_received(request)
    async with asyncio.timeout(30):
        while not _is_whole(answer := bytes(connection.wire.sent[before:])):
            await asyncio.sleep(0.001)
    return answer


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(found) and (length is None or len(body) >= int(length[1]))


def _connected(handler: web.RequestHandler, address: str = "192.0.2.1") -> Connection:
    wire = Wire(address)
    handler.connection_made(wire)
    return Connection(handler, wire)


@asynccontextmanager
async def a_world(clock: FakeTime, folder: Path) -> AsyncIterator[World]:
    loop = asyncio.get_running_loop()
    (folder / "policy.toml").write_text(
        '[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n'
        + "".join(
            f'[[rule]]\nid = "{rule}"\n' for rule in ("quarantined", "known-malware", "pinned", "upstream-status")
        )
    )
    (folder / "feed").mkdir()
    async with FakeUpstream() as upstream:
        now = datetime.fromtimestamp(clock.now, UTC)
        six = upstream.add_file("six", "1.0")
        young = upstream.add_file("young", "1.0", upload_time=now - timedelta(days=2, hours=23, minutes=50))
        overrides: dict[str, Any] = {
            "server.base_url": "http://x",
            "upstreams.pypi.url": upstream.url,
            "upstreams.pypi.freshness": f"{FRESH_FOR}s",
            "indexes.main.policy": str(folder / "policy.toml"),
            "indexes.main.anonymous": True,
            "indexes.locked.policy": str(folder / "policy.toml"),
            "indexes.locked.upstreams": ["pypi"],
            "indexes.locked.pins": "prod",
            "indexes.locked.anonymous": True,
            "indexes.closed.policy": str(folder / "policy.toml"),
            "indexes.closed.upstreams": ["pypi"],
            "indexes.closed.anonymous": False,
            "feeds.osv.source": str(folder / "feed"),
        }
        read = load_settings(None, {}, {"data": str(folder / "data"), **overrides})
        async with open_installation(read) as ours, open_installation(read) as theirs:
            app, handled = build_app(ours.services()), list[str]()

            @web.middleware
            async def note(request: web.Request, handler: Any) -> web.StreamResponse:
                handled.append(request.path)
                response: web.StreamResponse = await handler(request)
                return response

            app.middlewares.append(note)
            runner = web.AppRunner(app, shutdown_timeout=0.01)
            await runner.setup()
            assert runner.server is not None
            memory = RequestMemory(1 << 20, ours.present)
            options: dict[str, Any] = {"loop": loop, "access_log": None, "logger": SILENT}
            remembering = _connected(RememberingHandler(runner.server, memory, **options))
            plain = _connected(web.RequestHandler(runner.server, **options))
            elsewhere = _connected(RememberingHandler(runner.server, memory, **options), "192.0.2.2")
            world = World(clock, upstream, six, ours, theirs, remembering, elsewhere, plain, handled=handled)
            tokens = Tokens(ours.tokens, ours.clock, ours.indexes)
            for name, ends in (("for good", None), ("for a while", ours.clock.now() + timedelta(minutes=20))):
                new = await tokens.create(name.replace(" ", "-"), Role.READER, Scope(("closed",)), ends, KIM)
                world.tokens.append(new.text)
                world.requests.append(get("/closed/simple/six/", JSON, f"Authorization: Bearer {new.text}"))
            world.requests += [
                get("/simple/six/", JSON),
                get("/simple/six/", "Accept-Encoding: gzip"),
                get("/simple/young/", JSON),
                get("/locked/simple/six/", JSON),
                get("/simple/missing/", JSON),
                get(f"{address(six)}.metadata"),
                get(f"{address(young)}.metadata"),
                get(f"{address(six, 'locked')}.metadata"),
                get(f"{address(six, 'closed')}.metadata", f"Authorization: Bearer {world.tokens[0]}"),
            ]
            try:
                yield world
            finally:
                for connection in (remembering, elsewhere, plain):
                    await connection.end()
                await runner.cleanup()


changes = st.tuples(
    st.sampled_from(("hold", "release", "waive", "unwaive", "revoke", "pin", "advise", "publish", "status")),
    st.sampled_from(TARGETS),
    st.booleans(),
)
waits = st.sampled_from((0.1, 1.0, 59.5, 240.0, 299.8, 700.0, 3 * 86_400.0))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(st.tuples(changes, waits), min_size=2, max_size=8))
@example(program=[(("hold", "six", False), 1.0), (("release", "six", False), 1.0), (("revoke", "six", False), 1.0)])
@example(
    program=[(("waive", "young", False), 59.5), (("unwaive", "young", False), 0.1), (("status", "six", True), 299.8)]
)
@example(program=[(("pin", "six", False), 1.0), (("advise", "six", False), 1.0), (("publish", "six", False), 299.8)])
def test_what_is_remembered_is_what_is_worked_out_anew(
    clock: FakeTime, program: Sequence[tuple[tuple[str, str, bool], float]]
) -> None:
    async def run(folder: Path) -> None:
        async with a_world(clock, folder) as world:
            await world.compare()
            for (what, target, ours), seconds in program:
                with suppress(InvalidRecord):
                    # What is over already cannot be ended.
                    await world.change(what, target, ours=ours)
                clock.now += HELD
                await world.compare()
                clock.now += seconds
                await world.compare()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def _have_all_stand(world: World, clock: FakeTime) -> None:
    for _ in range(3):
        await world.compare()
        clock.now += HELD
    world.handled.clear()


async def test_what_nobody_changes_is_worked_out_once(clock: FakeTime, tmp_path: Path) -> None:
    async with a_world(clock, tmp_path) as world:
        await _have_all_stand(world, clock)
        asked = [request for request in world.requests if b"missing" not in request and b"young" not in request]
        for _ in range(20):
            for request in asked:
                assert (await _ask(world.remembering, request)).startswith(b"HTTP/1.1 200 ") or b"/locked/" in request
            clock.now += 5.0
        assert [path for path in world.handled if "locked" not in path] == []


async def test_only_what_nobody_in_particular_asks_for_is_lent_to_another_address(
    clock: FakeTime, tmp_path: Path
) -> None:
    async with a_world(clock, tmp_path) as world:
        page, token = "/simple/six/", f"Authorization: Bearer {world.tokens[0]}"
        requests = {
            get(page, JSON): 1,
            get(f"{address(world.six)}.metadata"): 1,
            get("/closed" + page, token): 2,
            get(page, token): 2,
            get(page, "Authorization: Basic x"): 2,
            get(page, "X-Forwarded-For: 192.0.2.9"): 2,
            get(page, "Via: 1.1 front"): 2,
        }
        for request, handled in requests.items():
            world.handled.clear()
            given = [await _ask(connection, request) for connection in (world.remembering, world.elsewhere)]
            assert given[0] == given[1], request
            assert len(world.handled) == handled, request


async def test_a_token_is_noted_as_used_whenever_it_is(clock: FakeTime, tmp_path: Path) -> None:
    async with a_world(clock, tmp_path) as world:
        await _have_all_stand(world, clock)
        clock.now += 100.0
        await _ask(world.remembering, world.requests[0])
        assert world.handled == []
        keeping = asyncio.create_task(world.ours.token_uses.run())
        await asyncio.sleep(0)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        (used,) = [token.last_used_at for token in await world.theirs.tokens.history() if token.name == "for-good"]
        assert used == world.ours.clock.now()
