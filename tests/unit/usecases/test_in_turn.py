"""Waiting for a turn among processes."""

import asyncio
from datetime import timedelta

from pinfold.adapters.filesystem.turns import Turns
from pinfold.usecases.in_turn import in_turn

LONG = timedelta(minutes=1)


async def test_one_after_the_other_has_the_turn(tmp_path):
    here, elsewhere, order = Turns(tmp_path), Turns(tmp_path), []

    async def work(turns, name):
        async with in_turn(turns.take, "page", LONG):
            order.append(f"{name} begins")
            await asyncio.sleep(0.05)
            order.append(f"{name} ends")

    await asyncio.gather(work(here, "one"), work(elsewhere, "other"))
    assert order == ["one begins", "one ends", "other begins", "other ends"]


async def test_any_number_of_turns_leaves_one_empty_file_behind(tmp_path):
    turns = Turns(tmp_path)
    for number in range(20):
        async with in_turn(turns.take, f"page {number}", LONG):
            pass
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("turns", 0)]


async def test_another_turn_is_not_waited_for(tmp_path):
    turns = Turns(tmp_path)
    async with in_turn(turns.take, "page", LONG), in_turn(turns.take, "other page", LONG):
        pass


async def test_patience_ends(tmp_path):
    turns = Turns(tmp_path)
    with turns.take("page") as ours:
        assert ours
        async with asyncio.timeout(10), in_turn(turns.take, "page", timedelta(seconds=0.1)):
            pass
    with turns.take("page") as again:
        assert again, "whoever lost patience took the turn away from its owner"


async def test_whoever_waited_is_told(tmp_path):
    here, elsewhere = Turns(tmp_path), Turns(tmp_path)
    async with in_turn(here.take, "page", LONG) as has_waited:
        assert not has_waited
        async with in_turn(elsewhere.take, "page", timedelta(0)) as is_late:
            assert is_late
        async with in_turn(elsewhere.take, "page", timedelta(seconds=0.1)) as is_later:
            assert is_later


async def test_a_turn_is_given_up_by_whoever_fails(tmp_path):
    turns = Turns(tmp_path)
    try:
        async with in_turn(turns.take, "page", LONG):
            raise ValueError
    except ValueError:
        pass
    with turns.take("page") as ours:
        assert ours


async def test_where_no_turn_can_be_had_nobody_waits(tmp_path):
    turns = Turns(tmp_path / "gone")
    async with asyncio.timeout(10), in_turn(turns.take, "page", LONG) as has_waited:
        assert not has_waited
