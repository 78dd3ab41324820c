"""Which names are compared with which."""

import asyncio
from collections.abc import Sequence

from pinfold.domain.look_alikes import Likeness, Slip
from pinfold.usecases.known_names import MANY, TOLD, KnownNames


class FakeNames:
    def __init__(self, *names: str) -> None:
        self.known = list(names)

    async def names(self) -> Sequence[str]:
        return tuple(self.known)


async def test_everyday_names_come_before_those_in_use() -> None:
    names = KnownNames(["requests"], FakeNames("acme-core", "requestz"))
    assert await names.likenesses("requestx") == (
        Likeness("requests", Slip.LETTERS, everyday=True),
        Likeness("requestz", Slip.LETTERS, everyday=False),
    )
    assert await names.likenesses("acmecore") == (Likeness("acme-core", Slip.SEPARATORS, everyday=False),)


async def test_what_is_known_resembles_nothing() -> None:
    names = KnownNames(["requests"], FakeNames("request"))
    assert await names.likenesses("requests") == ()
    assert await names.likenesses("request") == ()
    assert await names.likenesses("something") == ()


async def test_a_name_that_comes_into_use_counts_from_then_on() -> None:
    in_use = FakeNames()
    names = KnownNames(["requests"], in_use)
    assert await names.likenesses("request") != ()
    assert await names.likenesses("acme-cores") == ()
    in_use.known += ["request", "acme-core"]
    assert await names.likenesses("request") == ()
    assert await names.likenesses("acme-cores") == (Likeness("acme-core", Slip.LETTERS, everyday=False),)


async def test_many_names_that_are_in_use_already_are_taken_in_once_by_all_who_ask() -> None:
    in_use = FakeNames(*(f"package-number-{number}" for number in range(2 * MANY)), "acme-core")
    names = KnownNames(["requests"], in_use)
    asked = await asyncio.gather(*(names.likenesses(name) for name in ("acme-cores", "request", "acmecore") * 5))
    assert [len(likenesses) for likenesses in asked] == [1] * 15
    in_use.known.append("acme-cores")
    assert await names.likenesses("acme-cores") == ()


async def test_only_a_few_likenesses_are_told() -> None:
    names = KnownNames([f"package{letter}" for letter in "abcdefghij"], FakeNames())
    assert len(await names.likenesses("packagez")) == TOLD
