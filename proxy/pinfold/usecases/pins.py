"""Pin sets: imported from locks, gone back to and removed; each act is a new version, and audited with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidLock, InvalidRecord, NotFound
from pinfold.domain.evidence import plain
from pinfold.domain.pins import (
    MAX_PINS,
    Pin,
    PinAct,
    PinSet,
    PinSetVersion,
    ProjectChange,
    difference,
    in_order,
    pin_set_name,
    pins_digest,
)
from pinfold.locks.lock import Lock
from pinfold.locks.read import read_lock
from pinfold.ports.clock import Clock
from pinfold.ports.pins import PinStore

MOST_CHANGES = 500
"""Projects whose change an audit entry tells; the versions themselves hold all of it."""
_ACTIONS = {
    PinAct.IMPORT: Action.PIN_IMPORT,
    PinAct.ROLLBACK: Action.PIN_ROLLBACK,
    PinAct.REMOVE: Action.PIN_REMOVE,
}


@dataclass(frozen=True)
class PinChange:
    """What a set would become, and how that differs from what it is."""

    before: PinSetVersion | None
    """The latest version, if there was ever one."""
    after: PinSet
    changes: tuple[ProjectChange, ...]


class Pins:
    """Changes pin sets. Every method raises StoreError."""

    def __init__(self, store: PinStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def plan_import(self, name: str, locks: Sequence[Lock], *, merge: bool, actor: Actor) -> PinChange:
        """Return what a set becomes by locks: exactly what they pin together, or that besides what it holds already.

        Raises InvalidRecord for a name that no set can have, or where there are too many files.
        """
        present = await self._store.current(pin_set_name(name))
        pinned = [pin for lock in locks for pin in lock.pins]
        if merge and present is not None:
            pinned += present.pins
        pins = in_order(pinned)
        if len(pins) > MAX_PINS:
            raise InvalidRecord(f"{name} would pin {len(pins)} files, and a pin set holds {MAX_PINS} at the most")
        return await self._planned(name, PinAct.IMPORT, pins, tuple(lock.source for lock in locks), actor)

    async def plan_rollback(self, name: str, number: int, actor: Actor) -> PinChange:
        """Return what a set becomes by going back to one of its versions; raises NotFound where there is none."""
        earlier = await self._store.version(name, number)
        if earlier is None or earlier.head.act is PinAct.REMOVE:
            raise NotFound(f"pin set {name} has no version {number} to go back to")
        return await self._planned(name, PinAct.ROLLBACK, earlier.pins, (f"version {number}",), actor)

    async def apply(self, change: PinChange, actor: Actor) -> None:
        """Make a planned version the present one; raises InvalidRecord where the set changed since it was planned."""
        await self._store.add(change.after, _entry(change, actor))

    async def remove(self, name: str, used_by: Collection[str], actor: Actor) -> PinSetVersion:
        """End a set; raises NotFound where there is none, and InvalidRecord while an index is limited to it."""
        if await self._store.current(name) is None:
            raise NotFound(f"there is no pin set {name}")
        if used_by:
            raise InvalidRecord(
                f"pin set {name} is in use: without it {', '.join(sorted(used_by))} would serve nothing; take `pins` "
                "out of the settings first"
            )
        change = await self._planned(name, PinAct.REMOVE, (), (), actor)
        await self.apply(change, actor)
        return change.after.head

    async def show(self, name: str, number: int | None = None) -> PinSet:
        """Return a set as it is, or one of its versions; raises NotFound."""
        found = await (self._store.current(name) if number is None else self._store.version(name, number))
        if found is None:
            raise NotFound(f"there is no pin set {name}" + ("" if number is None else f" with a version {number}"))
        return found

    async def difference(self, name: str, older: int | None, newer: int | None) -> tuple[ProjectChange, ...]:
        """Return how two versions of a set differ: without `newer` to the present one, without `older` from the last.

        Raises NotFound.
        """
        after = await self.show(name, newer)
        number = after.head.number - 1 if older is None else older
        before = await self.show(name, number) if number else None
        return difference(before.pins if before else (), after.pins)

    async def _planned(
        self, name: str, act: PinAct, pins: tuple[Pin, ...], sources: tuple[str, ...], actor: Actor
    ) -> PinChange:
        history = await self._store.history(name)
        latest = history[-1] if history else None
        present = await self._store.version(name, latest.number) if latest else None
        head = PinSetVersion(
            name=name,
            number=latest.number + 1 if latest else 1,
            act=act,
            created_by=actor.name,
            created_at=self._clock.now(),
            sources=sources,
            files=len(pins),
            digest=pins_digest(pins),
        )
        return PinChange(latest, PinSet(head, pins), difference(present.pins if present else (), pins))


def read_locks(texts: Mapping[str, str]) -> list[Lock]:
    """Return what lock files pin, given by their paths; raises InvalidLock with the mistakes of all of them."""
    locks: list[Lock] = []
    problems: list[str] = []
    for source, text in texts.items():
        try:
            locks.append(read_lock(text, source))
        except InvalidLock as error:
            problems += error.problems
    if problems:
        raise InvalidLock(", ".join(texts), problems)
    return locks


def change_document(change: ProjectChange) -> dict[str, Any]:
    """Return how a project's pins change as plain data."""
    return {
        "project": change.project,
        "before": list(change.before),
        "after": list(change.after),
        "files_added": change.added,
        "files_removed": change.removed,
    }


def version_document(version: PinSetVersion) -> dict[str, Any]:
    """Return a version of a set as plain data."""
    document = plain(version)
    assert isinstance(document, dict)  # noqa: S101 - it is a dataclass
    return document


def _entry(change: PinChange, actor: Actor) -> Entry:
    head = change.after.head
    return Entry(
        action=_ACTIONS[head.act],
        time=head.created_at,
        actor=actor,
        reference=f"{head.name}@{head.number}",
        details={
            "sources": list(head.sources),
            "files": head.files,
            "digest": head.digest,
            "projects_changed": len(change.changes),
            "changes": [change_document(one) for one in change.changes[:MOST_CHANGES]],
        },
    )
