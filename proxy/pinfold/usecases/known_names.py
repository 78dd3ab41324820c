"""Which known names a project's name could be taken for."""

import asyncio
from collections.abc import Iterable

from pinfold.domain.look_alikes import Likeness, NameIndex
from pinfold.ports.names_in_use import NamesInUse

TOLD = 5
"""How many likenesses of one name are kept."""
MANY = 200
"""Names that are too many to take in at once: at some 30 microseconds each they would hold the loop."""


class KnownNames:
    """The everyday names and those in use here, compared with any other in some microseconds."""

    def __init__(self, everyday: Iterable[str], in_use: NamesInUse) -> None:
        self._everyday = frozenset(everyday)
        self._in_use = in_use
        self._index = NameIndex(self._everyday)
        self._indexed = 0
        self._building = asyncio.Lock()

    async def likenesses(self, project: str) -> tuple[Likeness, ...]:
        """Return the known names that a project resembles; none where it is known itself. Raises StoreError."""
        near = (await self._up_to_date()).near(project)
        found = [Likeness(name, slip, everyday=name in self._everyday) for name, slip in near.items()]
        return tuple(sorted(found, key=lambda one: (not one.everyday, one.name))[:TOLD])

    async def _up_to_date(self) -> NameIndex:
        names = await self._in_use.names()
        if len(names) - self._indexed > MANY:
            async with self._building:
                if len(names) - self._indexed > MANY:
                    self._index = await asyncio.to_thread(NameIndex, (*self._everyday, *names))
                    self._indexed = len(names)
        for name in names[self._indexed :]:
            self._index.add(name)
        self._indexed = max(self._indexed, len(names))
        return self._index
