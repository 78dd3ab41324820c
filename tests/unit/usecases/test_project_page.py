"""How long rendered pages stand without what they were made of; what they say is tested over HTTP."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.upstream import FakeUpstream, Fault

from pinfold.adapters.system_clock import SystemClock
from pinfold.domain.audit_entry import Actor
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.domain.published import Claim, PublishedFile
from pinfold.domain.target import parse_target
from pinfold.index.negotiate import Encoding, Representation
from pinfold.policy.document import parse_policy
from pinfold.usecases import beside_the_loop, find_project, judging, project_files, project_page
from pinfold.usecases.kept_page import PAGE_BYTES
from pinfold.usecases.project_page import REASONS_HOLD
from pinfold.usecases.quarantine import Quarantine


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(SystemClock, "now", lambda _: clock.now())
    return clock


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch):
    """Keep neither listings nor judged files in memory, as of projects that were long not asked for."""
    monkeypatch.setattr(find_project, "FILES_IN_MEMORY", 0)
    monkeypatch.setattr(judging, "BYTES_IN_MEMORY", 0)


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        upstream.add_file("six", "1.0")
        yield upstream


@pytest.fixture
async def corp():
    async with FakeUpstream() as corp:
        yield corp


@pytest.fixture
async def pinfold(tmp_path, upstream, corp):
    settings = {
        "upstreams.pypi.url": upstream.url,
        "upstreams.corp.url": corp.url,
        "indexes.main.upstreams": "corp,pypi",
        "feeds.osv.source": "",
    }
    async with in_process(tmp_path / "data", settings) as pinfold:
        yield pinfold


@pytest.fixture
def page_of(pinfold):
    async def page_of(project):
        index = pinfold.installation.indexes["main"]
        answer = await pinfold.installation.pages.get(index, project, Representation.JSON, Encoding.IDENTITY)
        return answer.page

    return page_of


def versions(page):
    return [(file["filename"].split("-")[1], bool(file["yanked"])) for file in json.loads(page.body)["files"]]


async def test_a_page_stands_though_nothing_is_left_in_memory_of_its_files(page_of, upstream, corp):
    first = await page_of("six")
    assert await page_of("six") is first
    assert len(upstream.requests_for("/simple/six/")) == len(corp.requests_for("/simple/six/")) == 1


async def test_it_stands_no_longer_than_what_people_decided(page_of, pinfold):
    assert versions(await page_of("six")) == [("1.0", False)]
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    await quarantine.add(parse_target("six"), "found bad", None, Actor("somebody"))
    assert versions(await page_of("six")) == [("1.0", True)]


async def test_it_stands_no_longer_than_its_policy(page_of, pinfold):
    assert versions(await page_of("six")) == [("1.0", False)]
    indexes = pinfold.installation.indexes
    stricter = parse_policy('[[rule]]\nid = "minimum-age"\nparams = { days = 3650 }\n', "stricter.toml")
    indexes["main"] = replace(indexes["main"], policy=stricter)
    assert versions(await page_of("six")) == [("1.0", True)]


async def test_it_stands_no_longer_than_its_decisions(page_of, upstream, clock):
    upstream.add_file("six", "2.0", upload_time=NOON - timedelta(days=3) + timedelta(minutes=1))
    assert versions(await page_of("six")) == [("1.0", False), ("2.0", True)]
    clock.advance(timedelta(seconds=59))
    assert versions(await page_of("six")) == [("1.0", False), ("2.0", True)]
    clock.advance(timedelta(seconds=1))
    assert versions(await page_of("six")) == [("1.0", False), ("2.0", False)]


@pytest.fixture
def _remembering(monkeypatch):
    """Keep projects in memory, so that what their upstream confirms is the same as before."""
    monkeypatch.setattr(find_project, "FILES_IN_MEMORY", 100)
    monkeypatch.setattr(judging, "BYTES_IN_MEMORY", 1_000_000)


@pytest.mark.usefixtures("_remembering")
async def test_it_stands_for_good_unless_it_tells_reasons_or_of_files_that_were_taken_away(page_of, upstream, clock):
    upstream.add_file("six", "1.1")
    upstream.add_file("young", "1.0", upload_time=NOON - timedelta(days=1))
    upstream.add_file("idna", "1.0")
    gone = upstream.add_file("idna", "1.1")
    await page_of("idna")
    upstream.remove_file(gone)
    clock.advance(timedelta(minutes=10))
    before = {project: await page_of(project) for project in ("six", "young", "idna")}
    clock.advance(REASONS_HOLD)
    after = {project: await page_of(project) for project in before}
    assert [project for project in before if after[project] is not before[project]] == ["young", "idna"]


@pytest.mark.usefixtures("_remembering")
async def test_reasons_stand_no_longer_for_being_confirmed(page_of, pinfold, upstream, clock):
    upstream.add_file("young", "1.0", upload_time=NOON - timedelta(days=1))
    await pinfold.installation.gate.judge_project(pinfold.installation.indexes["main"], "young")
    clock.advance(REASONS_HOLD / 2)
    before = await page_of("young")
    clock.advance(REASONS_HOLD / 2)
    assert await page_of("young") is before
    assert len(upstream.requests_for("/simple/young/")) == 2
    clock.advance(REASONS_HOLD / 2)
    assert await page_of("young") is not before


@pytest.mark.usefixtures("_remembering")
async def test_it_stands_though_something_was_found_out_that_no_file_is_refused_for(page_of, pinfold, upstream):
    file = upstream.add_file("six", "1.1")
    before = await page_of("six")
    assert (await pinfold.get(f"/files/six/{file.sha256}/{file.filename}")).status == 200
    judged = await pinfold.installation.gate.judge_project(pinfold.installation.indexes["main"], "six")
    assert judged.grounds.contents.inspected
    assert await page_of("six") is before
    quarantine = Quarantine(pinfold.installation.records, pinfold.installation.clock)
    record = await quarantine.add(parse_target("six==1.1"), "found bad", None, Actor("somebody"))
    assert versions(await page_of("six")) == [("1.0", False), ("1.1", True)]
    await quarantine.release(record.id, "it is good", Actor("somebody"))
    after = await page_of("six")
    assert after.body == before.body
    assert after is not before


@pytest.mark.usefixtures("_remembering")
async def test_it_stands_no_longer_than_decisions_that_were_made_since(page_of, pinfold, upstream, clock):
    """What the page was rendered of changed by itself at no moment; what it is judged on since does."""
    file = upstream.add_file("six", "1.1", upload_time=NOON - timedelta(days=30))
    before = await page_of("six")
    indexes = pinfold.installation.indexes
    rule = '[[rule]]\nid = "upstream-status"\n'
    indexes["main"] = replace(indexes["main"], policy=parse_policy(rule, "laxer.toml"))
    assert await page_of("six") is before
    stricter = '[[rule]]\nid = "minimum-age"\nparams = { days = 3650 }\n'
    indexes["main"] = replace(indexes["main"], policy=parse_policy(stricter, "stricter.toml"))
    assert {yanked for _, yanked in versions(await page_of("six"))} == {True}
    assert file.filename in (await page_of("six")).body.decode()


async def test_it_stands_no_longer_than_the_listing_is_fresh(page_of, upstream, clock):
    await page_of("six")
    upstream.add_file("six", "1.1")
    clock.advance(timedelta(minutes=10))
    assert versions(await page_of("six")) == [("1.0", False), ("1.1", False)]


async def test_it_stands_no_longer_than_a_source_that_goes_first_is_known_to_lack_the_project(page_of, corp, clock):
    assert versions(await page_of("six")) == [("1.0", False)]
    corp.add_file("six", "7.0")
    clock.advance(find_project.MISSING_FRESHNESS)
    assert versions(await page_of("six")) == [("7.0", False)]


async def test_it_stands_no_longer_than_the_name_is_nobodys_here(page_of, pinfold):
    assert versions(await page_of("six")) == [("1.0", False)]
    file = File("six-9.0.tar.gz", "https://packages.example/six-9.0.tar.gz", "9" * 64, FileKind.SDIST, "9.0", 1, NOON)
    claim = Claim("main", "six", NOON, "ci", ())
    await pinfold.installation.published.publish(PublishedFile("main", "six", file, "six 9", "ci"), None, claim, ())
    assert [file["filename"] for file in json.loads((await page_of("six")).body)["files"]] == [file.filename]


@pytest.fixture
def _narrow(monkeypatch):
    monkeypatch.setattr(project_page, "BYTES_IN_MEMORY", 2 * PAGE_BYTES)


@pytest.mark.usefixtures("_narrow")
async def test_a_page_counts_for_more_than_its_body(page_of, upstream):
    upstream.add_file("other", "1.0")
    first = await page_of("six")
    assert len(first.body) < PAGE_BYTES, "the bodies alone would have room side by side"
    await page_of("other")
    assert await page_of("six") is not first


@pytest.fixture
def moved(monkeypatch):
    """What was worked out beside the event loop: judging, rendering, or both."""
    moved = set()
    work_beside = beside_the_loop.beside_the_loop
    for module in (beside_the_loop, project_page):

        async def moving(work, module=module):
            moved.add(module)
            return await work_beside(work)

        monkeypatch.setattr(module, "beside_the_loop", moving)
    return moved


@pytest.fixture
def _little_at_once(monkeypatch):
    for name in ("IN_THREAD_ABOVE", "LOCATIONS_AT_ONCE"):
        monkeypatch.setattr(project_files, name, 2)


@pytest.mark.usefixtures("_little_at_once")
@pytest.mark.parametrize(
    "more", [{"versions": ["1", "2", "3"]}, {"alternate-locations": ["https://other.example/simple/six/"] * 3}]
)
async def test_a_page_that_has_much_besides_files_does_not_hold_up_the_event_loop(page_of, upstream, moved, more):
    await page_of("six")
    content = json.dumps({"name": "tail", "files": [], **more}).encode()
    headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    upstream.befall("/simple/tail/", Fault(status=200, content=content, headers=headers))
    assert not moved
    await page_of("tail")
    assert moved == {beside_the_loop, project_page}


@pytest.mark.usefixtures("_little_at_once")
async def test_nor_does_one_whose_files_were_taken_away(page_of, upstream, clock, moved):
    gone = [upstream.add_file("six", f"1.{number}") for number in range(1, 3)]
    await page_of("six")
    for file in gone:
        upstream.remove_file(file)
    clock.advance(timedelta(minutes=10))
    moved.clear()
    await page_of("six")
    assert beside_the_loop in moved
