"""What every memory of inspections keeps to, whatever it is made of."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON
from tests.fakes.report_store import FakeReportStore

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.reports import SqliteReportStore
from pinfold.domain.inspection import Kind, Observation, Report, Trait
from pinfold.ports.report_store import Inspected, ReportStore

HOOK = Observation(Kind.NEW_START_UP_HOOK, "runs at every interpreter start: import os", "widget.pth", 1)
REPORT = Report(
    inspector=1,
    project="widget",
    filename="widget-1.0-py3-none-any.whl",
    size=1000,
    unpacked_size=5000,
    entries=7,
    observations=(Observation(Kind.PATH_ESCAPE, "leaves its folder", "../evil"),),
    traits=(Trait("import os", HOOK),),
)
INSPECTED = Inspected("1" * 64, NOON, REPORT)


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReportStore]:
    if request.param == "fake":
        yield FakeReportStore()
        return
    file = await Database.open(tmp_path / "catalog.db", schema.catalog, durable=False)
    yield SqliteReportStore(file)
    await file.close()


async def test_a_report_is_kept_whole(store: ReportStore) -> None:
    assert await store.reports("widget") == []
    await store.remember(INSPECTED)
    assert await store.reports("widget") == [INSPECTED]


@pytest.mark.parametrize("kind", Kind)
async def test_observations_of_every_kind_come_back(store: ReportStore, kind: Kind) -> None:
    seen = Observation(kind, "a text", None, 3)
    inspected = replace(INSPECTED, report=replace(REPORT, observations=(seen,), traits=(Trait("x", seen),)))
    await store.remember(inspected)
    (kept,) = await store.reports("widget")
    assert kept == inspected
    assert kept.report.observations[0].grade is kind.grade


async def test_projects_are_kept_apart(store: ReportStore) -> None:
    await store.remember(INSPECTED)
    assert await store.reports("other") == []


async def test_file_names_and_hashes_tell_reports_apart_and_the_order_stays(store: ReportStore) -> None:
    renamed = replace(INSPECTED, report=replace(REPORT, filename="widget-1.1-py3-none-any.whl"))
    rebuilt = replace(INSPECTED, sha256="2" * 64)
    for inspected in (INSPECTED, renamed, rebuilt):
        await store.remember(inspected)
    assert await store.reports("widget") == [INSPECTED, renamed, rebuilt]


async def test_a_later_report_on_the_same_file_replaces_the_earlier_one(store: ReportStore) -> None:
    other = replace(INSPECTED, sha256="2" * 64)
    again = replace(INSPECTED, inspected_at=NOON + timedelta(hours=1), report=replace(REPORT, inspector=2))
    for inspected in (INSPECTED, other, again):
        await store.remember(inspected)
    assert await store.reports("widget") == [other, again]


async def test_what_was_remembered_after_a_revision_can_be_had_alone(store: ReportStore) -> None:
    other = replace(INSPECTED, sha256="2" * 64)
    await store.remember(INSPECTED)
    await store.remember(other)
    between = await store.revision("widget")
    assert await store.reports("widget", between) == []
    await store.remember(INSPECTED)
    assert await store.reports("widget", between) == [INSPECTED]


async def test_what_is_remembered_of_one_project_leaves_the_others_alone(store: ReportStore) -> None:
    await store.remember(INSPECTED)
    before = [await store.revision("widget"), await store.revision("never-seen")]
    await store.remember(replace(INSPECTED, report=replace(REPORT, project="other")))
    assert [await store.revision("widget"), await store.revision("never-seen")] == before
    assert await store.revision("other") > before[1]


async def test_everything_that_is_remembered_of_a_project_raises_its_revision(store: ReportStore) -> None:
    seen = [await store.revision("widget")]
    for inspected in (INSPECTED, replace(INSPECTED, sha256="2" * 64), INSPECTED):
        await store.remember(inspected)
        seen.append(await store.revision("widget"))
    assert seen == sorted(set(seen))


async def test_whoever_remembers_learns_what_it_comes_after(store: ReportStore) -> None:
    assert await store.revision("widget") == 0
    other = replace(INSPECTED, report=replace(REPORT, project="other"))
    told = [await store.remember(each) for each in (INSPECTED, other, replace(INSPECTED, sha256="2" * 64), INSPECTED)]
    widgets = [told[0], *told[2:]]
    assert [before for before, _ in widgets] == [0, *(since for _, since in widgets[:-1])]
    assert await store.revision("widget") == told[-1][1] > told[1][1] == await store.revision("other") > told[1][0] == 0
