import asyncio
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.fakes.catalog import FakeCatalog
from tests.fakes.clock import FakeClock

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.domain.errors import StoreError, UpstreamError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project
from pinfold.policy.engine import Policy
from pinfold.ports.look_back import INTENT
from pinfold.ports.upstream import Missing, Page, Unchanged, Validators
from pinfold.usecases import find_project
from pinfold.usecases.find_project import MISSING_FRESHNESS, RETRY_AFTER, ProjectFinder
from pinfold.usecases.indexes import Index, Source

POLICY = Policy("none", "0" * 64, ())
FILE = File("six-1.0.tar.gz", "https://files.example/six-1.0.tar.gz", "a" * 64, FileKind.SDIST, "1.0")


class Upstream:
    """Answers what it is told to, and counts how often it is asked."""

    def __init__(self, name="pypi", answer=None):
        self.name = name
        self.answer = answer or Page(Project("six", (FILE,)), Validators(etag='"1"'), None)
        self.asked = []
        self.go = asyncio.Event()
        self.go.set()

    async def project(self, name, known):
        self.asked.append((name, known))
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Counted:
    def __init__(self):
        self.stale = 0

    def looked_up(self, cache, *, hit):
        pass

    def stale_page(self, upstream):
        self.stale += 1


@pytest.fixture
def clock():
    return FakeClock()


class Slowly:
    """Counts, and waits for others before and after what it does."""

    def __init__(self, work):
        self.work, self.count, self.gate = work, 0, asyncio.Event()
        self.gate.set()

    async def __call__(self, *key):
        self.count += 1
        done = await self.work(*key)
        await asyncio.sleep(0.01)
        await self.gate.wait()
        return done


@pytest.fixture
def telemetry():
    return Counted()


@pytest.fixture
def catalog():
    return FakeCatalog()


@pytest.fixture
async def published(tmp_path):
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=False)
    yield SqlitePublishedStore(ledger)
    await ledger.close()


@pytest.fixture
async def finder(catalog, published, clock, telemetry):
    finder = ProjectFinder(catalog, published, clock, telemetry)
    yield finder
    await finder.close()


def index(*upstreams, private=(), freshness=timedelta(minutes=10)):
    sources = tuple(Source(upstream, freshness, upstream.name == "corp") for upstream in upstreams)
    return Index("main", sources, POLICY, private)


async def test_a_fresh_page_is_not_asked_for_again(finder, clock):
    upstream = Upstream()
    for _ in range(3):
        found = await finder.find(index(upstream), "six")
        clock.advance(timedelta(minutes=3))
        assert not found.stale
    assert upstream.asked == [("six", None)]


async def test_a_page_that_went_stale_is_asked_for_by_its_validators_and_stays_the_same_object(finder, clock):
    upstream = Upstream()
    first = await finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    upstream.answer = Unchanged(None)
    second = await finder.find(index(upstream), "six")
    assert upstream.asked[1] == ("six", Validators(etag='"1"'))
    assert second.listing is first.listing
    assert not second.stale


async def test_what_is_not_in_the_catalog_is_looked_for_there_once_and_again_after_waiting_for_another_process(
    catalog, published, clock, telemetry
):
    upstream, ours = Upstream(), iter([True, False, True])
    catalog.load = Slowly(catalog.load)

    @contextmanager
    def turn(_):
        yield next(ours)

    finder = ProjectFinder(catalog, published, clock, telemetry, turn=turn)
    await finder.find(index(upstream), "six")
    assert catalog.load.count == 1
    await finder.find(index(upstream), "seven")
    assert catalog.load.count == 3
    await finder.close()


async def test_many_who_ask_at_once_for_what_is_in_the_catalog_are_given_one_object(
    catalog, published, clock, telemetry, finder
):
    upstream = Upstream()
    await finder.find(index(upstream), "six")
    catalog.load = Slowly(catalog.load)
    restarted = ProjectFinder(catalog, published, clock, telemetry)
    first, *others = await asyncio.gather(*(restarted.find(index(upstream), "six") for _ in range(50)))
    assert all(other.listing is first.listing for other in others)
    assert (catalog.load.count, len(upstream.asked)) == (1, 1)
    await restarted.close()


async def test_what_is_fetched_while_the_catalog_is_read_stays(catalog, published, clock, telemetry, finder):
    upstream = Upstream()
    before = await finder.find(index(upstream), "six")
    catalog.load = Slowly(catalog.load)
    catalog.load.gate.clear()
    restarted = ProjectFinder(catalog, published, clock, telemetry)
    early = asyncio.create_task(restarted.find(index(upstream), "six"))
    while not catalog.load.count:
        await asyncio.sleep(0.001)
    upstream.answer = Page(Project("six"), Validators(), None)
    fetched = await restarted._refresh(index(upstream).sources[0], "six", before.stored)
    catalog.load.gate.set()
    assert (await early).listing is fetched.listing is not before.listing
    await restarted.close()


async def test_the_upstream_may_ask_for_less_freshness_but_not_for_more(finder, clock):
    upstream = Upstream(answer=Page(Project("six", (FILE,)), Validators(), timedelta(seconds=30)))
    await finder.find(index(upstream), "six")
    clock.advance(timedelta(seconds=31))
    upstream.answer = Page(Project("six", (FILE,)), Validators(), timedelta(days=300))
    await finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    await finder.find(index(upstream), "six")
    assert len(upstream.asked) == 3


async def test_a_failing_upstream_is_left_alone_for_a_while_when_a_stale_page_is_at_hand(finder, clock, telemetry):
    upstream = Upstream()
    await finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    upstream.answer = UpstreamError("down")
    assert (await finder.find(index(upstream), "six")).stale
    assert (await finder.find(index(upstream), "six")).stale
    assert len(upstream.asked) == 2
    clock.advance(RETRY_AFTER)
    upstream.answer = Unchanged(None)
    assert not (await finder.find(index(upstream), "six")).stale
    assert telemetry.stale == 2


async def test_a_slow_upstream_does_not_hold_up_who_can_have_a_stale_page(finder, clock, monkeypatch):
    monkeypatch.setattr(find_project, "PATIENCE", timedelta(seconds=0.01))
    upstream = Upstream()
    await finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    upstream.go.clear()
    assert (await finder.find(index(upstream), "six")).stale
    upstream.answer = Unchanged(None)
    upstream.go.set()
    await asyncio.sleep(0.01)
    # The refresh went on by itself, so that the next one who asks finds a fresh page.
    assert not (await finder.find(index(upstream), "six")).stale
    assert len(upstream.asked) == 2


async def test_without_a_page_at_hand_a_failure_is_a_failure(finder):
    with pytest.raises(UpstreamError, match="down"):
        await finder.find(index(Upstream(answer=UpstreamError("down"))), "six")


async def test_a_304_that_nobody_asked_for_is_a_failure(finder):
    with pytest.raises(UpstreamError, match="304"):
        await finder.find(index(Upstream(answer=Unchanged(None))), "six")


async def test_made_up_names_leave_nothing_in_the_catalog_and_are_not_asked_for_again_at_once(finder, catalog, clock):
    upstream = Upstream(answer=Missing())
    for _ in range(3):
        assert await finder.find(index(upstream), "no-such-thing") is None
    assert len(upstream.asked) == 1
    assert catalog.stored == {}
    clock.advance(MISSING_FRESHNESS)
    upstream.answer = Page(Project("no-such-thing"), Validators(), None)
    assert await finder.find(index(upstream), "no-such-thing") is not None


async def test_a_project_that_is_taken_away_is_still_known(finder, catalog, clock):
    upstream = Upstream()
    await finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    upstream.answer = Missing()
    found = await finder.find(index(upstream), "six")
    assert found.listing.missing
    assert [file.filename for file in found.listing.vanished_files()] == [FILE.filename]
    assert catalog.stored["pypi", "six"].listing.missing


async def test_the_first_that_has_a_project_provides_it_and_the_next_is_not_asked(finder):
    first, second = Upstream("first"), Upstream("second")
    found = await finder.find(index(first, second), "six")
    assert found.source.name == "first"
    assert second.asked == []


async def test_the_next_is_asked_only_where_the_one_before_says_that_it_has_nothing(finder):
    lacking, failing, having = (
        Upstream("lacking", Missing()),
        Upstream("failing", UpstreamError("down")),
        Upstream("having"),
    )
    assert (await finder.find(index(lacking, having), "six")).source.name == "having"
    with pytest.raises(UpstreamError):
        await finder.find(index(failing, having), "other")
    assert having.asked == [("six", None)]


async def test_private_names_are_asked_of_private_upstreams_alone(finder):
    public, corp = Upstream("pypi"), Upstream("corp", Missing())
    assert await finder.find(index(public, corp, private=("acme-*",)), "acme-tools") is None
    assert public.asked == []
    assert corp.asked == [("acme-tools", None)]


async def test_many_at_once_cost_one_question(finder):
    upstream = Upstream()
    upstream.go.clear()
    waiting = [asyncio.create_task(finder.find(index(upstream), "six")) for _ in range(50)]
    await asyncio.sleep(0.01)
    upstream.go.set()
    assert len({id(found.listing) for found in await asyncio.gather(*waiting)}) == 1
    assert len(upstream.asked) == 1


class Heard:
    """Hears what is noticed, with what the catalog held at that moment."""

    def __init__(self, catalog):
        self.catalog = catalog
        self.told = []

    async def __call__(self, projects, cause, /, *, until=None):
        held = [len(stored.listing.project.files) for stored in self.catalog.stored.values()]
        self.told.append((projects, cause, until, held))


@pytest.fixture
async def heard(catalog, published, clock, telemetry):
    heard = Heard(catalog)
    heard.finder = ProjectFinder(catalog, published, clock, telemetry, heard)
    yield heard
    await heard.finder.close()


@pytest.mark.parametrize("gone", [Page(Project("six"), Validators(), None), Missing()])
async def test_a_word_that_is_taken_back_is_noted_before_and_after_it_is_kept(heard, clock, gone):
    upstream = Upstream()
    await heard.finder.find(index(upstream), "six")
    assert heard.told == []
    clock.advance(timedelta(minutes=11))
    upstream.answer = gone
    await heard.finder.find(index(upstream), "six")
    cause = "the upstream took a file away"
    assert heard.told == [(["six"], cause, clock.now() + INTENT, [1]), (["six"], cause, None, [0])]


async def test_what_could_not_be_kept_was_noted_all_the_same(heard, clock, catalog):
    upstream = Upstream()
    await heard.finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    upstream.answer = Missing()
    catalog.failure = StoreError("the process was killed")
    with pytest.raises(StoreError):
        await heard.finder.find(index(upstream), "six")
    assert [until for _, _, until, _ in heard.told] == [clock.now() + INTENT]


async def test_more_files_take_nothing_back(heard, clock):
    upstream = Upstream()
    await heard.finder.find(index(upstream), "six")
    clock.advance(timedelta(minutes=11))
    more = File("six-1.1.tar.gz", "https://files.example/six-1.1.tar.gz", "b" * 64, FileKind.SDIST, "1.1")
    upstream.answer = Page(Project("six", (FILE, more)), Validators(), None)
    await heard.finder.find(index(upstream), "six")
    assert heard.told == []
