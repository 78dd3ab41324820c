"""Many who ask at once for what nobody asked for before."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.upstream import FakeUpstream

from pinfold.policy import engine
from pinfold.usecases import project_files, project_page


def counted(calls: list[str], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: object, **named: object) -> Any:
        calls.append(name)
        return work(*values, **named)

    return call


async def test_a_huge_page_is_judged_and_rendered_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(engine, "decide_each", counted(calls, "judge", engine.decide_each))
    monkeypatch.setattr(project_page, "_render", counted(calls, "render", project_page._render))
    async with FakeUpstream() as upstream, in_process(tmp_path, {"upstreams.pypi.url": upstream.url}) as pinfold:
        for number in range(project_files.IN_THREAD_ABOVE + 1):
            upstream.add_file("huge", f"1.{number}", content=b"the same")
        answers = await asyncio.gather(*(pinfold.get("/simple/huge/") for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.body for answer in answers}) == 1
    assert calls == ["judge", "render"]
