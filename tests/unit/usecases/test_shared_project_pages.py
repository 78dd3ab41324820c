"""Long pages that one worker made are taken by another one that would have made the same, and by no other."""

import asyncio
import random
import re
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.upstream import FakeUpstream, Fault

from pinfold.adapters.filesystem.shared_pages import SharedPageFiles
from pinfold.adapters.filesystem.turns import Turns
from pinfold.adapters.system_clock import SystemClock
from pinfold.domain.audit_entry import Actor
from pinfold.domain.target import parse_target
from pinfold.index.negotiate import Encoding, Representation
from pinfold.policy.document import parse_policy
from pinfold.usecases import judging, kept, project_page
from pinfold.usecases.project_page import REASONS_HOLD
from pinfold.usecases.quarantine import Quarantine
from pinfold.usecases.waive import Waive

SOMEBODY = Actor("somebody")
DAYS = {days: parse_policy(f'[[rule]]\nid = "minimum-age"\nparams = {{ days = {days} }}\n', "days") for days in (3, 30)}


@dataclass
class Worker:
    """One of several processes on a data directory, with the policy that it was started with."""

    installation: object

    async def page(self, representation=Representation.JSON, encoding=Encoding.IDENTITY, root=None, as_of=None):
        index = self.installation.indexes["main"]
        answer = await self.installation.pages.get(index, "six", representation, encoding, root, as_of)
        return answer.page.body

    async def change_policy(self, days):
        indexes = self.installation.indexes
        indexes["main"] = replace(indexes["main"], policy=DAYS[days])

    @property
    def quarantine(self):
        return Quarantine(self.installation.records, self.installation.clock)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(SystemClock, "now", lambda _: clock.now())
    # All pages are long, and what others change is seen at once.
    monkeypatch.setattr(project_page, "LONG", 1)
    monkeypatch.setattr(kept, "TRUSTED_SECONDS", 0.0)
    return clock


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        upstream.add_file("six", "1.0", upload_time=NOON - timedelta(days=9))
        upstream.add_file("six", "1.1", upload_time=NOON - timedelta(days=1))
        yield upstream


@pytest.fixture
async def workers(tmp_path, upstream):
    """Two that share, and one that works all out for itself."""
    async with AsyncExitStack() as stack:
        started = []
        for workers in (2, 2, 1):
            settings = {"upstreams.pypi.url": upstream.url, "feeds.osv.source": "", "server.workers": str(workers)}
            opened = await stack.enter_async_context(in_process(tmp_path / "data", settings))
            started.append(Worker(opened.installation))
            await started[-1].change_policy(3)
        yield started


@pytest.fixture
def judged(monkeypatch):
    """The names of all projects that were judged anew, in any worker."""
    judged = []
    judge = judging.judge

    def counting(index, name, *rest):
        judged.append(name)
        return judge(index, name, *rest)

    monkeypatch.setattr(judging, "judge", counting)
    return judged


@pytest.fixture
def taken(monkeypatch):
    """The pages of others that were found."""
    taken = []
    find = SharedPageFiles.find

    async def finding(self, made_of):
        page = await find(self, made_of)
        taken.extend([page] if page is not None else [])
        return page

    monkeypatch.setattr(SharedPageFiles, "find", finding)
    return taken


@pytest.fixture
def digested(monkeypatch):
    """The threads in which it was told what a page is made of."""
    threads = []
    made_of = project_page.made_of

    def digesting(*parts):
        threads.append(threading.current_thread())
        return made_of(*parts)

    monkeypatch.setattr(project_page, "made_of", digesting)
    return threads


async def test_a_page_that_another_worker_made_is_not_made_again(workers, judged):
    here, elsewhere, _ = workers
    page = await here.page()
    assert await elsewhere.page() == page
    assert judged == ["six"]


async def test_it_stands_as_if_it_had_been_made_here(workers, judged, clock):
    here, elsewhere, _ = workers
    await here.page()
    page = await elsewhere.page()
    assert await elsewhere.page() is page
    # The upstream confirms that nothing has changed.
    clock.advance(timedelta(minutes=5))
    assert await elsewhere.page() is page
    assert judged == ["six"]


async def test_of_those_who_are_asked_at_once_one_makes_it(workers, judged):
    here, elsewhere, _ = workers
    pages = await asyncio.gather(*(worker.page() for worker in (here, elsewhere) for _ in range(5)))
    assert len(set(pages)) == 1
    assert judged == ["six"]


async def test_a_worker_that_hangs_while_it_makes_a_page_is_not_waited_for_for_ever(workers, monkeypatch, tmp_path):
    here, _, alone = workers
    monkeypatch.setattr(project_page, "PATIENCE", timedelta(seconds=0.05))
    turns = Turns(tmp_path)
    monkeypatch.setattr(here.installation.pages, "_turn", lambda _: turns.take("held"))
    with turns.take("held") as held:
        assert held
        assert await here.page() == await alone.page()


async def test_to_tell_what_a_page_is_made_of_does_not_hold_up_the_event_loop(workers, digested):
    # An upstream with thousands of files, each with much to say against it, would hold it up for a quarter of a second.
    here, elsewhere, _ = workers
    await here.page()
    await elsewhere.page()
    assert len(digested) == 3
    assert threading.main_thread() not in digested


async def test_while_the_upstream_fails_it_is_not_told_for_each_request_what_a_page_is_made_of(
    workers, upstream, digested, judged, clock
):
    here, elsewhere, _ = workers
    # By then nothing is held against any file, so that time alone changes nothing of the page.
    clock.advance(timedelta(days=31))
    await here.page()
    await elsewhere.page()
    clock.advance(timedelta(hours=1))
    upstream.befall(upstream.page_path("six"), Fault(status=500))
    page = await elsewhere.page()
    digested.clear()
    judged.clear()
    for _ in range(3):
        assert await elsewhere.page() is page
    assert not digested
    assert not judged


@pytest.mark.parametrize(
    "asked",
    [
        {"representation": Representation.HTML},
        {"encoding": Encoding.GZIP},
        {"root": "https://pinfold.example"},
        {"as_of": NOON - timedelta(days=3)},
    ],
)
async def test_another_form_is_another_page(workers, asked):
    here, elsewhere, alone = workers
    page = await here.page()
    other = await elsewhere.page(**asked)
    assert other == await alone.page(**asked)
    assert (other == page) == ("root" in asked)


async def test_what_was_decided_meanwhile_is_not_passed_over(workers, judged):
    here, elsewhere, _ = workers
    page = await here.page()
    await here.quarantine.add(parse_target("six"), "found bad", None, SOMEBODY)
    assert b"found bad" in await elsewhere.page()
    assert await here.page() != page
    assert len(judged) == 2


async def test_reasons_of_others_are_of_late_however_late_they_were_told(workers, upstream, clock):
    here, elsewhere, alone = workers
    upstream.add_file("six", "1.2", upload_time=NOON - timedelta(days=1) + 1.2 * REASONS_HOLD)
    assert b"uploaded 23 h ago" in await here.page()
    clock.advance(REASONS_HOLD)
    # Rendered once more, of what was judged before.
    await here.page()
    clock.advance(REASONS_HOLD / 2)
    assert await elsewhere.page() == await alone.page()


async def test_a_page_that_was_taken_is_made_anew_once_its_time_is_over(workers, clock):
    here, elsewhere, alone = workers
    await here.page()
    assert b"uploaded 1 d ago" in await elsewhere.page()
    clock.advance(timedelta(days=1))
    assert b"uploaded 2 d ago" in await alone.page()
    assert await elsewhere.page() == await alone.page()


async def test_what_changes_while_another_worker_is_waited_for_is_seen(workers, monkeypatch, tmp_path):
    here, *_ = workers
    turns, waiting = Turns(tmp_path), asyncio.Event()

    def take(_):
        waiting.set()
        return turns.take("held")

    monkeypatch.setattr(here.installation.pages, "_turn", take)
    with turns.take("held"):
        page = asyncio.create_task(here.page())
        await waiting.wait()
        await here.quarantine.add(parse_target("six"), "found bad", None, SOMEBODY)
    assert b"found bad" in await page


async def test_a_page_that_stands_by_another_policy_is_not_taken_for_one_by_the_first(workers, clock):
    """By either policy it says the same; by one of them, not for long."""
    here, _, alone = workers
    clock.advance(timedelta(days=9))
    until = clock.now() + timedelta(minutes=2)
    await Waive(here.installation.records, clock).add(parse_target("six"), "minimum-age", "needed", until, SOMEBODY)
    pages = []
    for days in (30, 3, 30):
        await here.change_policy(days)
        pages.append(await here.page())
    assert len(set(pages)) == 1
    clock.advance(timedelta(minutes=2))
    await alone.change_policy(30)
    assert await here.page() == await alone.page() != pages[0]


async def test_a_page_with_files_that_the_upstream_took_away_is_each_workers_own(workers, upstream, judged, clock):
    here, elsewhere, alone = workers
    gone = upstream.add_file("six", "1.0.1", upload_time=NOON - timedelta(days=8))
    await here.page()
    upstream.remove_file(gone)
    clock.advance(timedelta(minutes=10))
    await here.page()
    judged.clear()
    assert await elsewhere.page() == await alone.page()
    assert judged == ["six", "six"]


class Happenings:
    """What may happen to a project in a world of several workers, one thing after the other."""

    def __init__(self, seed, sharing, upstream, clock):
        self.chance, self._sharing, self._upstream, self._clock = random.Random(seed), sharing, upstream, clock
        self._held, self._files = [], []

    async def next(self):
        things = [self.hold, self.release, self.publish, self.take_away, self.change_policy, self.wait]
        await self.chance.choice(things)()

    async def hold(self):
        target = parse_target(self.chance.choice(["six", "six==1.0", "six==2.0"]))
        self._held.append(await self._one().quarantine.add(target, "found bad", None, SOMEBODY))

    async def release(self):
        if self._held:
            await self._one().quarantine.release(self._held.pop().id, "it is good", SOMEBODY)

    async def publish(self):
        uploaded = self._clock.now() - timedelta(days=self.chance.choice([1, 9, 40]))
        self._files.append(self._upstream.add_file("six", f"2.{len(self._files)}", upload_time=uploaded))
        self._clock.advance(REASONS_HOLD)

    async def take_away(self):
        if self._files:
            self._upstream.remove_file(self._files.pop())
            self._clock.advance(REASONS_HOLD)

    async def change_policy(self):
        await self._one().change_policy(self.chance.choice(list(DAYS)))

    async def wait(self):
        self._clock.advance(self.chance.choice([REASONS_HOLD, timedelta(days=2)]))

    def _one(self):
        return self.chance.choice(self._sharing)


def but_for_ages(page):
    """Leave out how long ago a file was uploaded, which a worker tells as of when it judged it."""
    return re.sub(rb"uploaded [^,]+ ago|ref D-\w+", b"", page)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_a_worker_serves_what_it_would_have_made_by_itself(
    workers, upstream, clock, taken, seed
):
    *sharing, alone = workers
    happenings = Happenings(seed, sharing, upstream, clock)
    # To begin with, nothing is held against any file.
    clock.advance(timedelta(days=31))
    for _ in range(15):
        await happenings.next()
        for worker in happenings.chance.choices(sharing, k=3):
            # An index of its own has it judged anew.
            alone.installation.indexes["main"] = replace(worker.installation.indexes["main"])
            page = await worker.page()
            assert but_for_ages(page) == but_for_ages(await alone.page())
    assert taken, "nothing was shared"
