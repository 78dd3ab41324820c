"""What every store of pin sets keeps to, whatever it is made of."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.fakes.clock import NOON
from tests.fakes.pins import FakePinStore

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.pins import SqlitePinStore
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.errors import InvalidRecord, StoreError
from pinfold.domain.pins import Pin, PinAct, PinSet, PinSetVersion, pins_digest
from pinfold.ports.audit_log import AuditQuery
from pinfold.ports.pins import PinStore

PINS = (Pin("requests", "2.32.3", "a" * 64, "requests-2.32.3.tar.gz"), Pin("six", "1.17.0", "b" * 64))
IMPORTED = Entry(Action.PIN_IMPORT, NOON, Actor("kim"), reference="prod@1")


def a_set(number: int = 1, pins: tuple[Pin, ...] = PINS, act: PinAct = PinAct.IMPORT, name: str = "prod") -> PinSet:
    sources = ("uv.lock",)
    return PinSet(PinSetVersion(name, number, act, "kim", NOON, sources, len(pins), pins_digest(pins)), pins)


@dataclass
class Held:
    """A store with what its tests look at."""

    store: PinStore
    audited: Callable[[], Awaitable[list[Entry]]]


@pytest.fixture(params=["sqlite", "fake"])
async def held(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Held]:
    if request.param == "fake":
        fake = FakePinStore()

        async def audited() -> list[Entry]:
            return fake.audited

        yield Held(fake, audited)
        return
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    log = SqliteAuditLog(ledger)

    async def logged() -> list[Entry]:
        return [recorded.entry for recorded in await log.search(AuditQuery(newest_first=False))]

    yield Held(SqlitePinStore(ledger), logged)
    await ledger.close()


async def test_what_was_never_imported_is_not_there(held: Held) -> None:
    assert await held.store.current("prod") is None
    assert await held.store.version("prod", 1) is None
    assert await held.store.history() == []


async def test_a_set_is_in_force_as_soon_as_it_is_added_and_audited_with_it(held: Held) -> None:
    await held.store.current("prod")
    await held.store.add(a_set(), IMPORTED)
    current = await held.store.current("prod")
    assert current is not None
    assert (current.head, current.pins) == (a_set().head, PINS)
    assert await held.store.current("prod") is current
    assert await held.store.current("other") is None
    assert await held.audited() == [IMPORTED]


async def test_versions_stay_when_later_ones_come(held: Held) -> None:
    await held.store.add(a_set(), IMPORTED)
    await held.store.add(a_set(2, PINS[:1]), replace(IMPORTED, reference="prod@2"))
    await held.store.add(a_set(1, PINS[1:], name="other"), replace(IMPORTED, reference="other@1"))
    first = await held.store.version("prod", 1)
    assert first is not None
    assert first.pins == PINS
    assert [(one.name, one.number) for one in await held.store.history()] == [("prod", 1), ("prod", 2), ("other", 1)]
    assert [one.number for one in await held.store.history("prod")] == [1, 2]


async def test_a_removed_set_is_gone_and_goes_on_counting_when_it_comes_again(held: Held) -> None:
    await held.store.add(a_set(), IMPORTED)
    await held.store.add(a_set(2, (), PinAct.REMOVE), IMPORTED)
    assert await held.store.current("prod") is None
    await held.store.add(a_set(3), IMPORTED)
    current = await held.store.current("prod")
    assert current is not None
    assert current.head.number == 3


@pytest.mark.parametrize("number", [1, 3])
async def test_of_two_who_change_a_set_at_once_the_second_has_to_look_again(held: Held, number: int) -> None:
    await held.store.add(a_set(), IMPORTED)
    with pytest.raises(InvalidRecord, match="meanwhile"):
        await held.store.add(a_set(number, PINS[:1]), IMPORTED)
    assert len(await held.audited()) == 1


async def test_another_process_sees_a_change_within_a_second(tmp_path: Path) -> None:
    ours = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    theirs = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    store, other = SqlitePinStore(ours), SqlitePinStore(theirs)
    assert await other.current("prod") is None
    await store.add(a_set(), IMPORTED)
    other._kept["prod"].distrust()
    assert (await other.current("prod")) == a_set()
    await ours.close()
    await theirs.close()


async def test_versions_cannot_be_changed_or_deleted_behind_the_stores_back(tmp_path: Path) -> None:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    store = SqlitePinStore(ledger)
    await store.add(a_set(), IMPORTED)
    for sql in ("UPDATE pin_set SET files = 0", "DELETE FROM pin_set"):
        with pytest.raises(StoreError):
            await ledger.write(lambda database, sql=sql: database.execute(sql))
    await ledger.close()


async def test_damaged_pins_are_no_pins(tmp_path: Path) -> None:
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=True)
    store = SqlitePinStore(ledger)
    await store.add(a_set(), IMPORTED)
    await ledger.write(lambda database: database.execute("DROP TRIGGER pin_set_is_not_changed"))
    for body in ("x'00'", "(SELECT body FROM pin_set)"):
        await ledger.write(
            lambda database, body=body: database.execute(f"UPDATE pin_set SET body = {body}, digest = 'x'")
        )
        with pytest.raises(StoreError, match="damaged pin set prod"):
            await store.version("prod", 1)
    await ledger.close()
