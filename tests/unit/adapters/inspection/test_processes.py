"""Processes that inspect: whatever becomes of them, the one who asked gets an answer, and nobody another's."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.fakes.upstream import build_wheel

from pinfold.adapters.inspection.processes import INSPECTIONS, PROCESSES, InspectionProcesses
from pinfold.domain.errors import InspectionFailed
from pinfold.domain.inspection import Kind

HANGS = "import time; time.sleep(60)"
DIES = "import sys; sys.stdin.readline(); sys.exit(1)"
BABBLES = "import sys; sys.stdin.readline(); print('no JSON', flush=True)"
WRITES = """
import sys
from pathlib import Path
from pinfold.adapters.inspection import worker
worker._renounce()
sys.stdin.readline()
try:
    Path(sys.argv[1]).write_text("x")
except OSError:
    print('{"why": "writing is out of the question"}', flush=True)
"""
Pool = Callable[..., InspectionProcesses]


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pools: list[InspectionProcesses] = []

    def pool(source: str | None = None, *arguments: str, **options: float) -> InspectionProcesses:
        command = {} if source is None else {"command": (sys.executable, "-c", source, *arguments)}
        pools.append(InspectionProcesses(**command, **options))  # type: ignore[arg-type]
        return pools[-1]

    yield pool
    for each in pools:
        await each.close()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(build_wheel("widget", "1.0", files={"widget_init.pth": b"import os\n"}))
    return path


async def inspect(pool: InspectionProcesses, path: Path, version: str = "1.0"):
    return await pool.inspect(path, f"widget-{version}-py3-none-any.whl", "widget", version)


async def test_a_report_comes_back_whole(pool: Pool, wheel: Path) -> None:
    report = await inspect(pool(), wheel)
    assert (report.observations, report.complete) == ((), True)
    assert [trait.observation.file for trait in report.grave_traits] == ["widget_init.pth"]


async def test_processes_that_were_started_ahead_are_those_that_inspect(pool: Pool, wheel: Path) -> None:
    shared = pool()
    await shared.warm_up()
    started = set(shared._all)
    await asyncio.gather(*(inspect(shared, wheel) for _ in range(4)))
    assert len(started) == PROCESSES
    assert shared._all == started


async def test_what_cannot_be_started_ahead_is_a_failure() -> None:
    with pytest.raises(InspectionFailed, match="no inspecting process can be started"):
        await InspectionProcesses(command=("/nowhere/python",)).warm_up()


async def test_answers_go_to_those_who_asked(pool: Pool, wheel: Path) -> None:
    shared = pool()
    reports = await asyncio.gather(*(inspect(shared, wheel, version) for version in ("1.0", "2.0", "3.0", "1.0")))
    assert [report.filename.split("-")[1] for report in reports] == ["1.0", "2.0", "3.0", "1.0"]
    mismatched = [any(each.kind is Kind.METADATA_MISMATCH for each in report.observations) for report in reports]
    assert mismatched == [False, True, True, False]


async def test_a_file_that_cannot_be_read_is_said_to_be_so(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(InspectionFailed, match="the file cannot be read: No such file"):
        await inspect(pool(), tmp_path / "absent")


@pytest.mark.parametrize("source", [DIES, BABBLES, "raise SystemExit"], ids=["dies", "babbles", "does not start"])
async def test_a_process_that_dies_or_babbles_is_a_failure_each_time(pool: Pool, wheel: Path, source: str) -> None:
    failing = pool(source)
    for _ in range(3):
        with pytest.raises(InspectionFailed, match="the inspecting process died of it"):
            await inspect(failing, wheel)


async def test_a_process_that_cannot_be_started_is_told_without_a_path_of_this_machine(
    wheel: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    absent = str(tmp_path / "absent")
    with pytest.raises(InspectionFailed) as failed:
        await inspect(InspectionProcesses(command=(absent,)), wheel)
    assert str(failed.value) == "no inspecting process can be started"
    assert absent in caplog.text


async def test_a_process_that_hangs_is_killed(pool: Pool, wheel: Path) -> None:
    hanging = pool(HANGS, timeout=0.2)
    with pytest.raises(InspectionFailed, match=r"it took more than 0\.2 s"):
        await inspect(hanging, wheel)
    assert not hanging._all


async def test_who_stops_waiting_leaves_no_answer_behind_for_the_next_one(pool: Pool, wheel: Path) -> None:
    shared = pool(most=1)
    asked = asyncio.create_task(inspect(shared, wheel, "2.0"))
    await asyncio.sleep(0.05)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (await inspect(shared, wheel)).filename == "widget-1.0-py3-none-any.whl"


async def test_a_process_serves_many_and_is_replaced_in_the_end(
    pool: Pool, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert INSPECTIONS > 10
    monkeypatch.setattr("pinfold.adapters.inspection.processes.INSPECTIONS", 2)
    shared, seen = pool(most=1), set()
    for _ in range(4):
        await inspect(shared, wheel)
        seen |= shared._all
    assert len(seen) == 2


async def test_no_more_processes_than_allowed_run_at_once(pool: Pool, wheel: Path) -> None:
    shared = pool(most=1)
    await asyncio.gather(*(inspect(shared, wheel) for _ in range(3)))
    assert len(shared._all) == 1


async def test_the_process_cannot_write_files(pool: Pool, wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(InspectionFailed, match="writing is out of the question"):
        await inspect(pool(WRITES, str(tmp_path / "written")), wheel)
    assert not (tmp_path / "written").exists() or not (tmp_path / "written").read_bytes()


async def test_the_process_knows_none_of_the_servers_secrets(
    pool: Pool, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINFOLD_UPSTREAMS_CORP_PASSWORD", "secret")
    source = 'import os, sys; sys.stdin.readline(); print(\'{"why": "%s"}\' % len(os.environ), flush=True)'
    with pytest.raises(InspectionFailed, match=r"was not inspected: [01]$"):
        await inspect(pool(source), wheel)
