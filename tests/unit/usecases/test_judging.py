"""How long what was judged of a project answers for it, when only some of its files were looked at."""

from datetime import timedelta
from weakref import ref

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.upstream import FakeUpstream

from pinfold.adapters.system_clock import SystemClock
from pinfold.usecases import decide, judging, project_files
from pinfold.usecases.decide import INSPECTION
from pinfold.usecases.judged_project import DECIDED_BYTES, JUDGED_BYTES, LAID_OUT_BYTES, PROJECT_BYTES

MINUTE = timedelta(minutes=1)
DAYS_3 = timedelta(days=3)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(SystemClock, "now", lambda _: clock.now())
    return clock


@pytest.fixture(params=["short", "long"], autouse=True)
def _length(request, monkeypatch):
    """Judge on the event loop, or beside it."""
    if request.param == "long":
        monkeypatch.setattr(project_files, "IN_THREAD_ABOVE", 0)
        monkeypatch.setattr("pinfold.usecases.judged_files.IN_THREAD_ABOVE", 0)


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        upstream.add_file("six", "1.0")
        upstream.add_file("six", "1.1", upload_time=NOON - DAYS_3 + MINUTE)
        upstream.add_file("six", "2.0", upload_time=NOON)
        yield upstream


@pytest.fixture
async def gate(tmp_path, upstream):
    settings = {"upstreams.pypi.url": upstream.url, "feeds.osv.source": ""}
    async with in_process(tmp_path / "data", settings) as pinfold:
        yield pinfold.installation.gate, pinfold.installation.indexes["main"]


@pytest.fixture
def look(gate):
    """Judge the file of a version as a request for it does."""
    gate, index = gate

    async def look(version):
        project = await gate.lay_out(index, "six")
        file = project.laid_out.file(f"six-{version}-py3-none-any.whl")
        return await gate.judge_file(index, "six", file.filename, file.sha256, awaited=INSPECTION)

    return look


@pytest.fixture
def refusal_of(gate, look):
    async def refusal_of(version):
        return await gate[0].refusal_of(*await look(version))

    return refusal_of


async def test_what_nobody_looked_at_before_is_judged_as_of_now(look, refusal_of, clock):
    project, _ = await look("1.0")
    clock.advance(MINUTE)
    assert "; last good 1.1; ref D-" in await refusal_of("2.0")
    assert (await look("1.0"))[0] is not project, "1.1 was refused when it was laid out"


async def test_so_is_all_of_a_project_of_which_one_was_looked_at(gate, look, clock):
    gate, index = gate
    await look("1.0")
    clock.advance(MINUTE)
    project = await gate.judge_project(index, "six")
    assert [judged.refused for judged in project.files] == [False, False, True]


async def test_what_changed_is_judged_once_more(look, refusal_of, clock):
    assert "; last good 1.0; ref D-" in await refusal_of("2.0")
    before, _ = await look("2.0")
    clock.advance(MINUTE / 2)
    assert (await look("1.1"))[0] is before
    clock.advance(MINUTE / 2)
    after, judged = await look("1.1")
    assert (after is before, judged.refused) == (False, False)
    assert "; last good 1.1; ref D-" in await refusal_of("2.0")


async def test_what_stands_is_laid_out_and_judged_once(look, gate):
    project, judged = await look("1.0")
    gate, index = gate
    assert project.files.judged == 1
    assert await gate.lay_out(index, "six") is project
    assert await gate.judge_project(index, "six") is project
    assert project.files.are_all_judged
    assert (await look("1.0")) == (project, judged)


@pytest.fixture
async def small(monkeypatch, tmp_path, upstream):
    """A gate with memory for two projects of four files, three of which were judged, and two granted, and its index."""
    upstream.add_file("idna", "1.0")
    laid_out = 2 * PROJECT_BYTES + (3 + 1) * LAID_OUT_BYTES
    monkeypatch.setattr(judging, "BYTES_IN_MEMORY", laid_out + 3 * JUDGED_BYTES + 2 * DECIDED_BYTES)
    settings = {"upstreams.pypi.url": upstream.url, "feeds.osv.source": ""}
    async with in_process(tmp_path / "data", settings) as pinfold:
        yield pinfold.installation.gate, pinfold.installation.indexes["main"]


@pytest.mark.parametrize(("granted", "is_left"), [(2, True), (3, False)])
async def test_memory_has_room_by_what_is_judged_and_granted(small, granted, is_left):
    gate, index = small
    kept = ref(await gate.lay_out(index, "idna"))
    six = await gate.lay_out(index, "six")
    for file in six.laid_out.files[:granted]:
        assert await gate.judge_file(index, "six", file.filename, file.sha256, awaited=INSPECTION)
    assert await gate.lay_out(index, "six") is six
    assert (six.files.judged, kept() is not None) == (granted, is_left)


@pytest.mark.parametrize(("granted", "is_left"), [(1, True), (3, False)])
async def test_what_is_granted_of_a_whole_project_takes_room_as_well(small, granted, is_left):
    gate, index = small
    kept = ref(await gate.lay_out(index, "idna"))
    six = await gate.judge_project(index, "six")
    for file in six.laid_out.files[:granted]:
        assert await gate.judge_file(index, "six", file.filename, file.sha256, awaited=INSPECTION)
    assert await gate.judge_project(index, "six") is six
    assert (kept() is not None) is is_left


async def test_whoever_asks_for_all_files_of_a_project_does_not_drive_it_out(small, monkeypatch):
    monkeypatch.setattr(decide, "DECIDED", 2)
    gate, index = small
    kept = ref(await gate.lay_out(index, "idna"))
    six = await gate.judge_project(index, "six")
    for file in six.laid_out.files * 2:
        assert await gate.judge_file(index, "six", file.filename, file.sha256, awaited=INSPECTION)
        assert len(six.decided) <= 2
    assert kept() is not None
