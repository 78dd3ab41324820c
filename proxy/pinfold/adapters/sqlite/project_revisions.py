"""Up to which row a table tells of each project, so that news of one have nobody look for news of the others."""

from typing import Literal

import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.usecases.kept import Kept

NEWS = 1000
"""Projects and rows that are told apart; where there are more, all projects count as having news."""


class ProjectRevisions:
    """Numbers of projects' last rows in a table whose `id` grows with each row, be it new or in place of another."""

    def __init__(self, file: Database, table: Literal["report", "provenance"]) -> None:
        self._file = file
        self._sql = f"SELECT id, project FROM {table} WHERE id > ? ORDER BY id DESC LIMIT {NEWS + 1}"  # noqa: S608 - no text of others
        self._looks = Kept(self._look, 0, file.present)
        self._newest = 0
        self._before = 0
        """The number of each project without news."""
        self._news: dict[str, int] = {}

    async def of(self, project: str) -> int:
        """Return a number that grows with each row of a project, and that others hardly raise; raises StoreError.

        It may be a fraction of a second old, except for what `distrust` was called after.
        """
        await self._looks.current()
        return self._news.get(project, self._before)

    def rise(self, project: str, number: int) -> None:
        """Take in the number of a row that this process added, which need not be looked for."""
        self._news[project] = max(number, self._news.get(project, self._before))
        self._file.present.change()

    def distrust(self) -> None:
        """Look again before the next answer: this process may have added a row."""
        self._looks.distrust()

    async def _look(self, before: int) -> int:
        after = self._newest

        def work(database: sqlite_utils.Database) -> list[tuple[int, str]]:
            return database.execute(self._sql, [after]).fetchall()

        rows = await self._file.read(work)
        # A look that began earlier may end later: no number ever falls.
        self._newest = max([self._newest, *(number for number, _ in rows[:1])])
        if len(rows) + len(self._news) > NEWS:
            self._before, self._news = self._newest, {}
        for number, project in rows:
            if number > self._before:
                self._news[project] = max(number, self._news.get(project, 0))
        return before if self._newest == before else self._newest
