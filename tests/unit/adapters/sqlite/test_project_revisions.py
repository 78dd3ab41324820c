import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, cast

import pytest
import sqlite_utils

from pinfold.adapters.sqlite import project_revisions, schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.project_revisions import ProjectRevisions

T = TypeVar("T")


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Database]:
    file = await Database.open(tmp_path / "catalog.db", schema.catalog, durable=False)
    yield file
    await file.close()


async def add(file: Database, *projects: str) -> None:
    sql = "REPLACE INTO report (project, filename, sha256, inspected_at, body) VALUES (?, '', '', '', x'')"
    await file.write(lambda database: [database.execute(sql, [project]) for project in projects])


async def test_what_other_processes_add_is_heard_of(file: Database) -> None:
    revisions = ProjectRevisions(file, "report")
    assert await revisions.of("widget") == 0
    await add(file, "other", "widget")
    revisions.distrust()
    assert [await revisions.of(name) for name in ("other", "widget", "never-seen")] == [1, 2, 0]
    await add(file, "widget")
    revisions.distrust()
    assert [await revisions.of(name) for name in ("other", "widget", "never-seen")] == [1, 3, 0]


async def test_each_row_changes_the_present_and_nothing_else_does(file: Database) -> None:
    revisions = ProjectRevisions(file, "report")
    for _ in range(3):
        before = file.present.revision
        revisions.distrust()
        await revisions.of("widget")
        assert file.present.revision == before
        await add(file, "widget")
        revisions.distrust()
        await revisions.of("other")
        assert file.present.revision == before + 1


async def test_what_this_process_added_changes_the_present_at_once(file: Database) -> None:
    revisions = ProjectRevisions(file, "report")
    await revisions.of("widget")
    before = file.present.revision
    revisions.rise("widget", 1)
    assert file.present.revision > before


async def test_where_there_are_many_news_all_projects_count_as_having_some(
    file: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_revisions, "NEWS", 3)
    revisions = ProjectRevisions(file, "report")
    names = [f"project-{number}" for number in range(8)]
    told: list[list[int]] = []
    for number in range(len(names)):
        await add(file, names[number])
        revisions.distrust()
        told.append([await revisions.of(name) for name in names])
    for earlier, later in pairwise(told):
        assert all(before <= now for before, now in zip(earlier, later, strict=True)), "a number fell"
    for number, numbers in enumerate(told):
        assert numbers[number] == number + 1, "news went unheard of"
    assert told[1] == [1, 2, 0, 0, 0, 0, 0, 0]
    assert told[3] == [4] * 8


async def test_a_long_table_is_not_read_to_begin_with(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_revisions, "NEWS", 3)
    await add(file, *(f"project-{number}" for number in range(9)))
    revisions = ProjectRevisions(file, "report")
    assert [await revisions.of(name) for name in ("project-0", "never-seen")] == [9, 9]


class HoldsTheFirstRead:
    """A file of which whoever reads first is answered only once that is let go."""

    def __init__(self, file: Database) -> None:
        self._file, self.present = file, file.present
        self.has_read, self.let_go = asyncio.Event(), asyncio.Event()

    async def read(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        found = await self._file.read(work)
        if not self.has_read.is_set():
            self.has_read.set()
            await self.let_go.wait()
        return found


@pytest.mark.parametrize(("told_apart", "number"), [(3, 10), (1000, 6)])
async def test_a_look_that_ends_late_lets_no_number_fall(
    file: Database, monkeypatch: pytest.MonkeyPatch, told_apart: int, number: int
) -> None:
    monkeypatch.setattr(project_revisions, "NEWS", told_apart)
    held = HoldsTheFirstRead(file)
    revisions = ProjectRevisions(cast("Database", held), "report")
    names = ["widget", *(f"project-{other}" for other in range(4))]
    await add(file, *names)
    early = asyncio.create_task(revisions.of("widget"))
    await held.has_read.wait()
    await add(file, *names)
    revisions.distrust()
    assert await revisions.of("widget") == number
    held.let_go.set()
    assert await early == number
    assert await revisions.of("widget") == number


async def test_a_number_that_is_told_late_lets_none_fall(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_revisions, "NEWS", 1)
    revisions = ProjectRevisions(file, "report")
    await add(file, "widget", "other", "another")
    assert await revisions.of("widget") == 3
    revisions.rise("widget", 1)
    assert await revisions.of("widget") == 3
