"""Which known names a project's name could be taken for."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from pinfold.domain.look_alikes import Likeness, NameIndex
from pinfold.ports.names_in_use import NamesInUse, Use
from pinfold.usecases.beside_the_loop import beside_the_loop
from pinfold.usecases.lru import Lru

COMPARED = 10_000
"""Names whose likenesses are kept: a page, a file and its metadata are asked for one after the other."""
TOLD = 5
"""How many likenesses of one name are kept."""
MANY = 200
"""Names that are too many to take in at once: at some 30 microseconds each they would hold the loop."""


class KnownNames:
    """The everyday names and those in use in an index, compared with any other in some microseconds.

    What one index serves is known in no other: its policy may be laxer, and its names nobody else's business.
    """

    def __init__(self, everyday: Iterable[str], in_use: NamesInUse) -> None:
        self._everyday = frozenset(everyday)
        self._in_use = in_use
        self._used: defaultdict[str, set[str]] = defaultdict(set)
        # One for all indexes: a name is laid out once, and looked for once.
        self._names = NameIndex(self._everyday)
        self._compared: Lru[tuple[str, str], tuple[Likeness, ...]] = Lru(COMPARED)
        self._taken_in = 0
        self._building = asyncio.Lock()

    async def likenesses(self, index: str, project: str) -> tuple[Likeness, ...]:
        """Return the names known in an index that a project resembles; none where it is known itself.

        Raises StoreError.
        """
        await self.catch_up()
        likenesses = self._compared.get((index, project))
        if likenesses is None:
            likenesses = self._compare(index, project)
            self._compared.put((index, project), likenesses, weight=1)
        return likenesses

    def _compare(self, index: str, project: str) -> tuple[Likeness, ...]:
        used = self._used[index]
        if project in self._everyday or project in used:
            return ()
        found = [
            Likeness(name, slip, everyday=name in self._everyday)
            for name, slip in self._names.near(project).items()
            if name in self._everyday or name in used
        ]
        return tuple(sorted(found, key=lambda one: (not one.everyday, one.name))[:TOLD])

    async def catch_up(self) -> None:
        """Take in the names that came into use since: thousands after a start. Raises StoreError."""
        uses = await self._in_use.uses()
        if len(uses) - self._taken_in > MANY:
            async with self._building:
                if len(uses) - self._taken_in > MANY:
                    names = (*self._everyday, *(use.project for use in uses))
                    self._names = await beside_the_loop(partial(NameIndex, names))
                    self._taken_in = 0
                    self._take_in(uses)
        self._take_in(uses)

    def _take_in(self, uses: Sequence[Use]) -> None:
        if len(uses) > self._taken_in:
            self._compared = Lru(COMPARED)
        for use in uses[self._taken_in :]:
            self._names.add(use.project)
            self._used[use.index].add(use.project)
        self._taken_in = max(self._taken_in, len(uses))
