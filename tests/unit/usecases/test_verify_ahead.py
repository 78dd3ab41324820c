"""What is verified before anybody asks for it: a few files at a time, at nobody's cost."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.usecases.provenance_world import FILE, World, a_world, several

from pinfold.domain.errors import StoreError, UpstreamError
from pinfold.usecases import provenances as module
from pinfold.usecases.provenances import AHEAD_AT_ONCE


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world


async def test_files_are_verified_ahead_a_few_at_a_time_and_each_once(world: World) -> None:
    process = world.process()
    world.upstream.gate.clear()
    files = several(20)
    for _ in range(3):
        process.verify_ahead(world.upstream, "litellm", files)
        process.verify_ahead(world.upstream, "other", files)
    await asyncio.sleep(0.02)
    assert world.upstream.at_once == AHEAD_AT_ONCE
    world.upstream.gate.set()
    await asyncio.sleep(0.1)
    assert len(world.upstream.asked) == 40
    assert world.upstream.most_at_once == AHEAD_AT_ONCE
    assert len((await process.known("litellm")).checked) == 20


async def test_a_request_does_not_wait_for_what_is_verified_ahead(world: World) -> None:
    process = world.process()
    world.upstream.gate.clear()
    process.verify_ahead(world.upstream, "other", several(20))
    await asyncio.sleep(0.01)
    asked = asyncio.create_task(world.establish(process, FILE))
    await asyncio.sleep(0.01)
    assert FILE.filename in world.upstream.asked
    world.upstream.gate.set()
    assert await asked == {}


async def test_failures_ahead_are_nobodys_trouble(world: World, caplog: pytest.LogCaptureFixture) -> None:
    process = world.process()
    world.upstream.documents = {file.filename: UpstreamError("down") for file in several(3)}
    process.verify_ahead(world.upstream, "litellm", several(3))
    await asyncio.sleep(0.02)
    assert len(world.upstream.asked) == 3
    world.store.failure = StoreError("full")
    process.verify_ahead(world.upstream, "another", several(3))
    await asyncio.sleep(0.02)
    assert "not verified ahead: full" in caplog.text


async def test_what_failed_ahead_is_tried_again_after_a_while_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEFT_ALONE_SECONDS", 0.1)
    process = world.process()
    world.upstream.documents = {FILE.filename: UpstreamError("down")}
    for _ in range(5):
        process.verify_ahead(world.upstream, "litellm", (FILE,))
        await asyncio.sleep(0.005)
    assert len(world.upstream.asked) == 1
    world.upstream.documents = {}
    await asyncio.sleep(0.1)
    process.verify_ahead(world.upstream, "litellm", (FILE,))
    await asyncio.sleep(0.02)
    assert len((await process.known("litellm")).checked) == 1


async def test_projects_that_wait_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AHEAD_PROJECTS", 2)
    process = world.process()
    world.upstream.gate.clear()
    for project in ("a", "b", "c"):
        process.verify_ahead(world.upstream, project, (FILE,))
    await asyncio.sleep(0.01)
    assert len(world.upstream.asked) == 2
