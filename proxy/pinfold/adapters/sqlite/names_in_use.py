"""The names in use, in the ledger's file: a trigger keeps them beside the files that were served."""

from dataclasses import dataclass

import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.ports.names_in_use import Use
from pinfold.usecases.kept import Kept


@dataclass(frozen=True, slots=True)
class _Known:
    last: int = 0
    uses: tuple[Use, ...] = ()


class SqliteNamesInUse:
    """The names in memory, with what came since read as it comes."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._kept = Kept(self._look, _Known(), self._ledger.present)

    async def uses(self) -> tuple[Use, ...]:
        """Return the uses in the order in which they came; without a look at the file where one was taken just now."""
        return (await self._kept.current()).uses

    async def _look(self, known: _Known) -> _Known:
        def work(database: sqlite_utils.Database) -> _Known:
            sql = 'SELECT number, "index", project FROM project_in_use WHERE number > ? ORDER BY number'
            came = database.execute(sql, [known.last]).fetchall()
            return _Known(came[-1][0], (*known.uses, *(Use(*use) for _, *use in came))) if came else known

        return await self._ledger.read(work)
