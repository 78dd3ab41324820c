"""Which names are compared with which."""

import asyncio
from collections.abc import Sequence
from unittest.mock import Mock

import pytest

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.look_alikes import Likeness, Slip
from pinfold.ports.names_in_use import Use
from pinfold.usecases import known_names
from pinfold.usecases.known_names import MANY, TOLD, KnownNames


class FakeNames:
    def __init__(self, *names: str, **elsewhere: Sequence[str]) -> None:
        self.known = list(names)
        self.elsewhere = [Use(index, name) for index, names in elsewhere.items() for name in names]

    async def uses(self) -> Sequence[Use]:
        return (*self.elsewhere, *(Use("main", name) for name in self.known))


async def test_everyday_names_come_before_those_in_use() -> None:
    names = KnownNames(["requests"], FakeNames("acme-core", "requestz"))
    assert await names.likenesses("main", "requestx") == (
        Likeness("requests", Slip.LETTERS, everyday=True),
        Likeness("requestz", Slip.LETTERS, everyday=False),
    )
    assert await names.likenesses("main", "acmecore") == (Likeness("acme-core", Slip.SEPARATORS, everyday=False),)


async def test_what_is_known_resembles_nothing() -> None:
    names = KnownNames(["requests"], FakeNames("request"))
    assert await names.likenesses("main", "requests") == ()
    assert await names.likenesses("main", "request") == ()
    assert await names.likenesses("main", "something") == ()


async def test_no_everyday_name_is_taken_for_another() -> None:
    everyday = PolicyFiles().everyday_names()
    names = KnownNames(everyday, FakeNames())
    assert [name for name in everyday if await names.likenesses("main", name)] == []
    assert await names.likenesses("main", "requestz") != ()


async def test_a_name_that_comes_into_use_counts_from_then_on() -> None:
    in_use = FakeNames()
    names = KnownNames(["requests"], in_use)
    assert await names.likenesses("main", "request") != ()
    assert await names.likenesses("main", "acme-cores") == ()
    in_use.known += ["request", "acme-core"]
    assert await names.likenesses("main", "request") == ()
    assert await names.likenesses("main", "acme-cores") == (Likeness("acme-core", Slip.LETTERS, everyday=False),)


async def test_many_names_that_are_in_use_already_are_taken_in_once_by_all_who_ask() -> None:
    in_use = FakeNames(*(f"package-number-{number}" for number in range(2 * MANY)), "acme-core")
    names = KnownNames(["requests"], in_use)
    asked = await asyncio.gather(
        *(names.likenesses("main", name) for name in ("acme-cores", "request", "acmecore") * 5)
    )
    assert [len(likenesses) for likenesses in asked] == [1] * 15
    in_use.known.append("acme-cores")
    assert await names.likenesses("main", "acme-cores") == ()


async def test_what_was_taken_in_ahead_is_not_taken_in_by_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    names = KnownNames(
        ["requests"], FakeNames(*(f"package-number-{number}" for number in range(2 * MANY)), "acme-core")
    )
    await names.catch_up()
    monkeypatch.setattr(known_names, "NameIndex", Mock(side_effect=AssertionError("laid out again")))
    assert await names.likenesses("main", "acme-cores") == (Likeness("acme-core", Slip.LETTERS, everyday=False),)


async def test_only_a_few_likenesses_are_told() -> None:
    names = KnownNames([f"package{letter}" for letter in "abcdefghij"], FakeNames())
    assert len(await names.likenesses("main", "packagez")) == TOLD


async def test_what_is_in_use_in_one_index_is_not_known_in_another() -> None:
    names = KnownNames(["requests"], FakeNames("acme-core", lax=["request", "widget-tools"]))
    assert await names.likenesses("lax", "request") == ()
    assert await names.likenesses("main", "request") == (Likeness("requests", Slip.LETTERS, everyday=True),)
    assert await names.likenesses("lax", "widget-tool") == (Likeness("widget-tools", Slip.LETTERS, everyday=False),)
    assert await names.likenesses("main", "widget-tool") == ()
    assert await names.likenesses("lax", "acme-cores") == ()


async def test_everyday_names_that_are_in_use_too_are_told_once() -> None:
    names = KnownNames(["requests"], FakeNames("requests"))
    assert await names.likenesses("main", "requestx") == (Likeness("requests", Slip.LETTERS, everyday=True),)
