"""Pin sets written back as locks."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pinfold.domain.errors import UpstreamError
from pinfold.domain.pins import Pin, in_order
from pinfold.locks.pylock import write_pylock
from pinfold.usecases.check_lock import AT_ONCE
from pinfold.usecases.decide import Gate
from pinfold.usecases.indexes import Index


@dataclass(frozen=True, slots=True)
class ExportedLock:
    """A lock as text."""

    text: str
    left_out: tuple[str, ...]
    """What it cannot hold, with the reason."""


class ExportLock:
    """Writes pins as a `pylock.toml` (PEP 751) whose files are fetched through an index."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def pylock(self, index: Index, root: str, pins: Sequence[Pin]) -> ExportedLock:
        """Return the lock; `root` is the address of the index, below which files have their durable addresses.

        Pins that name no file are looked up on the index's pages. Raises StoreError.
        """
        turns = asyncio.Semaphore(AT_ONCE)
        nameless = sorted({pin.project for pin in pins if pin.filename is None})

        async def names(project: str) -> dict[str, str]:
            async with turns:
                return await self._names(index, project)

        found = dict(zip(nameless, await asyncio.gather(*map(names, nameless)), strict=True))
        named = [
            pin if pin.filename else replace(pin, filename=found[pin.project].get(pin.sha256))
            for pin in pins
        ]  # fmt: skip
        text, left_out = write_pylock(in_order(named), f"{root}/simple/", lambda pin: _address(root, pin))
        return ExportedLock(text, tuple(left_out))

    async def _names(self, index: Index, project: str) -> dict[str, str]:
        """Return the names of a project's files by their hashes; none where they cannot be had."""
        try:
            judged = await self._gate.judge_project(index, project)
        except UpstreamError:
            return {}
        return {each.file.sha256: each.file.filename for each in judged.files} if judged else {}


def _address(root: str, pin: Pin) -> str:
    return f"{root}/files/{pin.project}/{pin.sha256}/{pin.filename}"


def releases_twice(pins: Iterable[Pin]) -> list[str]:
    """Return the projects of which several releases are pinned: installers take no such lock."""
    found: dict[str, set[str]] = {}
    for pin in pins:
        found.setdefault(pin.project, set()).add(pin.version)
    return sorted(project for project, versions in found.items() if len(versions) > 1)
