import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.unit.web.ends import Ends, connected

from pinfold.domain.audit_entry import Actor
from pinfold.ports.audit_log import Appended
from pinfold.usecases.file_content import Stored
from pinfold.usecases.file_download import Ask, FileDownload, Granted
from pinfold.web import transfer
from pinfold.web.transfer import Transfer

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", os.urandom(1_000_000)


class Log:
    """What is recorded of downloads."""

    def __init__(self) -> None:
        self.served = 0
        self.broken_off: list[tuple[int, str]] = []

    async def record_again(self, granted: Granted, served: Appended) -> Appended:
        self.served += 1
        return served

    async def record_broken_off(self, granted: Granted, ask: Ask, served: Appended, sent: int, why: str) -> None:
        self.broken_off.append((sent, why))


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with connected() as ends:
        yield ends


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "wheel"
    path.write_bytes(BODY)
    return path


@pytest.fixture(autouse=True)
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "SLICE", 300_000)


async def repeat(log: Log, ends: Ends, content: Stored) -> None:
    repeated = Transfer(cast("FileDownload", log), cast("Granted", None), Ask(Actor("anonymous")))
    await repeated.run_again(ends.transport, HEAD, content, cast("Any", None))


async def test_a_file_is_repeated_whole_and_recorded_each_time(ends: Ends, log: Log, wheel: Path) -> None:
    content = Stored(wheel)
    wheel.unlink()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(ends.read(3 * len(HEAD + BODY)))
        for _ in range(3):
            await repeat(log, ends, content)
    assert reading.result() == 3 * (HEAD + BODY)
    assert (log.served, log.broken_off) == (3, [])


async def test_what_a_slow_client_takes_later_is_brought_in_from_the_disk_before_it_is_sent(
    ends: Ends, log: Log, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought_in: list[int] = []
    monkeypatch.setattr(transfer, "is_in_memory", lambda *_: False)
    monkeypatch.setattr(transfer, "bring_in", lambda _, position, __: brought_in.append(position))
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(ends.read(len(HEAD + BODY)))
        await repeat(log, ends, Stored(wheel))
    assert reading.result() == HEAD + BODY
    assert brought_in == [300_000, 600_000, 900_000]


async def test_whoever_hung_up_gets_nothing_and_that_is_recorded(ends: Ends, log: Log, wheel: Path) -> None:
    ends.transport.abort()
    with pytest.raises(ConnectionResetError):
        await repeat(log, ends, Stored(wheel))
    assert (log.served, log.broken_off) == (1, [(0, "the client hung up")])


async def test_whoever_stops_reading_is_let_go(
    ends: Ends, log: Log, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "STALLED", 0.02)
    with pytest.raises(TimeoutError):
        await repeat(log, ends, Stored(wheel))
    ((sent, why),) = log.broken_off
    assert sent < len(BODY)
    assert why == "the client stopped reading"
    assert len(await ends.read_to_the_end()) < len(HEAD + BODY)


async def test_a_file_that_lost_its_end_is_never_taken_for_a_whole_one(ends: Ends, log: Log, wheel: Path) -> None:
    content = Stored(wheel)
    os.truncate(wheel, 10)
    with pytest.raises(ConnectionResetError):
        await repeat(log, ends, content)
    assert [sent for sent, _ in log.broken_off] == [0]
    assert len(await ends.read_to_the_end()) <= len(HEAD) + 10
