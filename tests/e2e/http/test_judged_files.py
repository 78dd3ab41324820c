"""What is asked of one file of a long project judges no other than it takes; a page judges all, once a worker."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from tests.e2e.http.addresses import address
from tests.e2e.in_process import in_process

from pinfold.domain.target import HashTarget
from pinfold.policy import engine
from pinfold.usecases import find_project, judging, project_page
from pinfold.usecases.explain import Explain, document
from pinfold.usecases.project_files import IN_THREAD_ABOVE

FILES = IN_THREAD_ABOVE + 20
PROJECTS = ("alpha", "beta", "gamma")
FEW = 8
"""A file with those that it is compared with, each once more for good, and again once it was inspected."""


@pytest.fixture
def newest(upstream):
    """The newest files of long projects."""
    newest = []
    for name in PROJECTS:
        for number in range(FILES):
            content = None if number == FILES - 1 else b"the same"
            file = upstream.add_file(name, f"1.{number}", content=content)
        newest.append(file)
    return newest


@pytest.fixture
async def workers(tmp_path, upstream):
    settings = {"upstreams.pypi.url": upstream.url, "feeds.osv.source": "", "server.workers": "2"}
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(in_process(tmp_path / "data", settings)) for _ in range(2)]


@pytest.fixture
def judged(monkeypatch) -> Callable[[], int]:
    """How many decisions were made since this was last asked for."""
    decided = []
    decide, decide_each = engine.decide, engine.decide_each

    def counting(*values, **named):
        decided.append(decision := decide(*values, **named))
        return decision

    def counting_each(*values, **named):
        for decision in decide_each(*values, **named):
            decided.append(decision)
            yield decision

    def since() -> int:
        count = len(decided)
        decided.clear()
        return count

    monkeypatch.setattr(engine, "decide", counting)
    monkeypatch.setattr(engine, "decide_each", counting_each)
    return since


@pytest.fixture(params=["room", "no room"])
def _memory(request, monkeypatch):
    """Have room in memory for all projects, or for one of them."""
    if request.param == "no room":
        monkeypatch.setattr(find_project, "FILES_IN_MEMORY", FILES + 10)
        monkeypatch.setattr(judging, "BYTES_IN_MEMORY", 500 * FILES)


@pytest.mark.usefixtures("_memory")
async def test_an_install_from_two_workers_judges_each_project_whole_once(newest, workers, judged):
    one, other = workers
    for name in PROJECTS:
        assert (await one.get(f"/simple/{name}/")).status == 200
    assert judged() == FILES * len(PROJECTS)
    for file in newest:
        assert (await other.get(f"{address(file)}.metadata")).status == 200
        assert (await other.get(address(file))).status == 200
    assert len(PROJECTS) < judged() <= FEW * len(PROJECTS)
    for file in newest:
        assert (await one.get(address(file))).status == 200
    assert judged() <= FEW * len(PROJECTS)


async def test_what_is_judged_for_its_page_is_judged_no_more_for_a_file(newest, workers, judged):
    for file in newest:
        assert (await workers[0].get(address(file))).status == 200
    few = judged()
    for name in PROJECTS:
        assert (await workers[0].get(f"/simple/{name}/")).status == 200
    # What was inspected is judged anew.
    assert FILES * len(PROJECTS) - few <= judged() <= FILES * len(PROJECTS)


async def test_a_page_is_had_from_another_worker_where_a_project_is_laid_out(newest, workers, judged, monkeypatch):
    monkeypatch.setattr(project_page, "LONG", FILES)
    one, other = workers
    page = await one.get("/simple/alpha/")
    installation = other.installation
    assert await installation.gate.lay_out(installation.indexes["main"], newest[0].project)
    assert judged() <= FILES + FEW
    assert (await other.get("/simple/alpha/")).body == page.body
    assert judged() <= FEW


@pytest.fixture
def young(upstream, newest):
    """A file that is refused, of the release after that of the newest one of the first project."""
    return upstream.add_file(PROJECTS[0], "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1))


async def test_a_refused_file_names_the_last_good_release(young, workers, judged):
    answer = await workers[0].get(address(young))
    assert (answer.status, judged() <= FEW) == (403, True)
    assert f"; last good 1.{FILES - 1}; ref D-" in answer.reason


async def test_so_does_one_of_a_project_of_which_nothing_is_good(upstream, newest, workers):
    upstream.set_status(PROJECTS[0], "quarantined")
    answer = await workers[0].get(address(newest[0]))
    assert answer.status == 403
    assert "; ref D-" in answer.reason
    assert "last good" not in answer.reason


async def test_so_does_one_as_of_a_moment(young, workers):
    moment = f"{datetime.now(UTC) - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    answer = await workers[0].get(f"/as-of/{moment}{address(young)}")
    assert (answer.status, f"; last good 1.{FILES - 1}; ref D-" in answer.reason) == (403, True)


async def test_one_is_found_by_the_path_that_the_upstream_has_it_at(upstream, newest, workers, judged):
    path = urlsplit(upstream.file_url(newest[0])).path
    answer = await workers[0].get(path)
    assert (answer.status, judged() <= FEW) == (200, True)


async def test_a_hash_is_explained_beside_the_whole_project(newest, workers):
    installation = workers[0].installation
    assert (await workers[0].get(address(newest[0]))).status == 200
    explain = Explain(installation.gate, installation.audit_log)
    explained = await explain.explain(installation.indexes["main"], HashTarget(newest[0].sha256))
    assert document(explained)["last_good"] == newest[0].version
