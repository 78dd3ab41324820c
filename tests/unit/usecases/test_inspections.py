"""Each file is inspected once, for everybody, and what cannot be inspected is not tried without end."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.blobs import FakeBlobs
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.report_store import FakeReportStore
from tests.fakes.upstream import build_wheel

from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.domain.errors import InspectionFailed, StoreError, UpstreamError
from pinfold.domain.evidence import Unknown
from pinfold.domain.inspection import Kind, Observation, Report
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.inspection import INSPECTOR
from pinfold.ports.report_store import INCOMPLETE_HOLDS, Inspected
from pinfold.ports.upstream import Download
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.inspections import Inspections

CONTENT = build_wheel("widget", "1.0")
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = File("widget-1.0-py3-none-any.whl", "https://files.example/x", SHA256, FileKind.WHEEL, "1.0", size=len(CONTENT))
SHORT = Observation(Kind.TOO_LARGE, "not inspected to the end")


class Upstream:
    name = "pypi"

    def __init__(self) -> None:
        self.downloads = 0
        self.failure: UpstreamError | None = None

    @asynccontextmanager
    async def download(self, file):
        self.downloads += 1
        if self.failure is not None:
            raise self.failure

        async def chunks():
            yield CONTENT

        yield Download(len(CONTENT), chunks())


class Inspector:
    """Sees what it is told to see."""

    def __init__(self) -> None:
        self.inspected: list[str] = []
        self.failure: InspectionFailed | None = None
        self.observations: tuple[Observation, ...] = ()

    async def inspect(self, path: Path, filename: str, project: str, version: str | None) -> Report:
        assert path.read_bytes() == CONTENT
        self.inspected.append(filename)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return Report(INSPECTOR, project, filename, len(CONTENT), 1, 1, self.observations)


class Setting:
    """Inspections with everything around them."""

    def __init__(self, folder: Path) -> None:
        self.store, self.inspector, self.upstream, self.clock = FakeReportStore(), Inspector(), Upstream(), FakeClock()
        self.fetcher = FileFetcher(FakeBlobs(folder), PrometheusTelemetry())
        self.inspections = self.another()

    def another(self) -> Inspections:
        """Return what another process has."""
        return Inspections(self.store, self.inspector, self.fetcher, self.clock, PrometheusTelemetry())

    async def establish(self) -> Unknown | None:
        return await self.inspections.establish(self.upstream, "widget", FILE)


@pytest.fixture
async def setting(tmp_path):
    setting = Setting(tmp_path)
    yield setting
    await setting.inspections.close()
    await setting.fetcher.close()


async def test_a_file_is_inspected_once_for_all_who_ask_at_once_and_later(setting):
    assert await asyncio.gather(*(setting.establish() for _ in range(5))) == [None] * 5
    assert await setting.establish() is None
    assert (setting.inspector.inspected, setting.upstream.downloads) == ([FILE.filename], 1)
    assert (await setting.inspections.known("widget")).of(FILE) is not None


async def test_another_process_learns_of_it_and_does_not_inspect_again(setting):
    await setting.establish()
    other = setting.another()
    assert await other.establish(setting.upstream, "widget", FILE) is None
    assert (await other.known("widget")).of(FILE) is not None
    assert len(setting.inspector.inspected) == 1


async def test_what_is_known_stays_the_same_object_while_only_of_others_something_is_learnt(setting):
    await setting.establish()
    known = await setting.inspections.known("widget")
    assert await setting.inspections.known("widget") is known
    report = Report(INSPECTOR, "other", "other-1.0.tar.gz", 1, 1, 1, ())
    await setting.store.remember(Inspected(FILE.sha256, NOON, report))
    assert await setting.inspections.known("widget") is known


async def test_whoever_asks_after_a_report_was_remembered_is_told_of_it_while_an_earlier_look_is_under_way(setting):
    class Slow(FakeReportStore):
        gate = asyncio.Event()

        async def reports(self, project: str, after: int = 0) -> list[Inspected]:
            found = await super().reports(project, after)
            await self.gate.wait()
            return found

    setting.store = Slow()
    inspections = setting.another()
    early = asyncio.create_task(inspections.known("widget"))
    await asyncio.sleep(0.01)
    report = Report(INSPECTOR, "widget", FILE.filename, len(CONTENT), 1, 1, ())
    await inspections.remember(Inspected(SHA256, NOON, report))
    late = asyncio.create_task(inspections.known("widget"))
    await asyncio.sleep(0.01)
    setting.store.gate.set()
    assert (await early).of(FILE) is None
    assert (await late).of(FILE) == report


async def test_a_failed_inspection_is_unknown_left_alone_and_not_kept(setting, monkeypatch):
    setting.inspector.failure = InspectionFailed("it took more than 135 s")
    for _ in range(3):
        assert await setting.establish() == Unknown("it took more than 135 s")
    assert len(setting.inspector.inspected) == 1
    assert await setting.store.reports("widget") == []
    setting.inspector.failure = None
    monkeypatch.setattr("pinfold.usecases.inspections.monotonic", lambda: 1e12)
    assert await setting.establish() is None


async def test_a_report_that_broke_off_is_made_again_after_a_while(setting):
    setting.inspector.observations = (SHORT,)
    for _ in range(2):
        assert await setting.establish() is None
    assert len(setting.inspector.inspected) == 1
    setting.clock.advance(INCOMPLETE_HOLDS)
    setting.inspector.observations = ()
    await setting.establish()
    report = (await setting.inspections.known("widget")).of(FILE)
    assert report is not None
    assert report.complete


async def test_a_report_of_an_earlier_edition_is_made_anew(setting):
    old = Report(INSPECTOR - 1, "widget", FILE.filename, 1, 1, 1)
    await setting.store.remember(Inspected(SHA256, NOON - timedelta(days=9), old))
    assert (await setting.inspections.known("widget")).of(FILE) is None
    await setting.establish()
    assert len(setting.inspector.inspected) == 1


@pytest.mark.parametrize("failure", [UpstreamError("down"), StoreError("full")], ids=["upstream", "store"])
async def test_without_the_file_or_the_store_there_is_an_error(setting, failure):
    if isinstance(failure, UpstreamError):
        setting.upstream.failure = failure
    else:
        setting.store.failure = failure
    with pytest.raises(type(failure)):
        await setting.establish()
    assert setting.inspector.inspected == []
