"""What is told of a failure that lasts."""

import logging

import pytest

from pinfold.adapters import outage as outage_module
from pinfold.adapters.outage import Outage

log = logging.getLogger(__name__)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outage_module, "monotonic", clock)
    return clock


@pytest.fixture
def outage(caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage(log, "the disk takes nothing", "the disk takes it all")


def test_what_lasts_is_told_at_growing_intervals(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    moments = []
    for second in range(300):
        clock.now = 100.0 + second
        outage.failed(OSError("full"), second)
        if len(caplog.records) > len(moments):
            moments.append(second)
    assert moments == [0, 2, 6, 14, 30, 62, 122, 182, 242]
    assert [record.message for record in caplog.records[:2]] == [
        "the disk takes nothing (entries waiting: 0): full",
        "the disk takes nothing (for 2 s, entries waiting: 2): full",
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_its_end_is_told_once_and_what_follows_is_another(
    outage: Outage, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        outage.succeeded()
        for _ in range(3):
            clock.now += 2
            outage.failed(OSError("full"), None)
        outage.succeeded()
    assert [record.message for record in caplog.records] == 2 * [
        "the disk takes nothing: full",
        "the disk takes nothing (for 2 s): full",
        "the disk takes it all again, after 4 s",
    ]


def test_what_would_not_be_told_need_not_be_found_out(outage: Outage, clock: Clock) -> None:
    assert outage.is_due
    outage.failed(OSError("full"), None)
    assert not outage.is_due
    clock.now += 2
    assert outage.is_due
