"""When the trust root is refreshed, by whom, and what is said about it."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.clock import NOON, FakeClock

from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.domain.errors import TrustRootError
from pinfold.domain.provenance import TrustRoot
from pinfold.ports.trust_root_source import Refreshment
from pinfold.usecases import refresh_trust_root as under_test
from pinfold.usecases.refresh_trust_root import RETRY_AFTER, RefreshTrustRoot

DAY = timedelta(days=1)
PACKAGED, REFRESHED = TrustRoot("a" * 64, NOON), TrustRoot("b" * 64, NOON)


class Site:
    """A source that only takes note of what it is asked, and a verifier that goes over to `root`."""

    address = "https://tuf.example"

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.telemetry = PrometheusTelemetry()
        self.noted = Refreshment()
        self.root = PACKAGED
        self.refreshed = 0
        self.failure = ""
        self.ours = True
        self.renewed = asyncio.Event()
        self.watch = RefreshTrustRoot(self, DAY, self.renew, self.turn, self.clock, self.telemetry)

    async def state(self) -> Refreshment:
        return self.noted

    async def refresh(self) -> None:
        self.refreshed += 1
        if self.failure:
            self.noted = replace(self.noted, failed_at=self.clock.now(), failure=self.failure)
            raise TrustRootError(self.failure)
        self.noted, self.root = Refreshment(self.clock.now()), REFRESHED

    async def renew(self) -> TrustRoot:
        self.renewed.set()
        return self.root

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        assert name == "trust-root"
        yield self.ours

    def metrics(self) -> str:
        return self.telemetry.render().decode()


@pytest.fixture
def site() -> Site:
    return Site()


async def test_it_is_refreshed_at_once_and_then_by_the_interval(site: Site) -> None:
    await site.watch.look()
    await site.watch.look()
    assert site.refreshed == 1
    site.clock.advance(DAY - timedelta(seconds=1))
    await site.watch.look()
    assert site.refreshed == 1
    site.clock.advance(timedelta(seconds=1))
    await site.watch.look()
    assert site.refreshed == 2


async def test_metrics_tell_the_root_and_when_it_was_confirmed(site: Site) -> None:
    site.failure = "unreachable"
    with pytest.raises(TrustRootError):
        await site.watch.look()
    assert f'pinfold_trust_root_info{{sha256="{"a" * 64}"}} 1.0' in site.metrics()
    site.failure = ""
    site.clock.advance(RETRY_AFTER)
    await site.watch.look()
    metrics = site.metrics()
    assert f'pinfold_trust_root_info{{sha256="{"b" * 64}"}} 1.0' in metrics
    assert "a" * 64 not in metrics
    checked = (NOON + RETRY_AFTER).timestamp()
    assert any(
        line.startswith("pinfold_trust_root_checked_timestamp_seconds") and float(line.split()[1]) == checked
        for line in metrics.splitlines()
    )


async def test_a_failure_is_tried_again_before_the_interval_is_over(site: Site) -> None:
    site.failure = "unreachable"
    with pytest.raises(TrustRootError, match="unreachable"):
        await site.watch.look()
    await site.watch.look()
    assert site.refreshed == 1
    site.clock.advance(RETRY_AFTER)
    with pytest.raises(TrustRootError):
        await site.watch.look()
    assert site.refreshed == 2


async def test_what_another_process_put_in_place_is_gone_over_to(site: Site) -> None:
    site.ours = False
    await site.watch.look()
    assert site.refreshed == 0
    site.noted, site.root = Refreshment(site.clock.now()), REFRESHED
    await site.watch.look()
    assert (site.refreshed, "b" * 64 in site.metrics()) == (0, True)


async def test_the_same_failure_is_logged_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(under_test, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(under_test, "RETRY_AFTER", timedelta(0))
    site.failure = "unreachable"
    with caplog.at_level(logging.WARNING):
        work = asyncio.create_task(site.watch.run())
        while site.refreshed < 3:
            await asyncio.sleep(0.001)
        work.cancel()
    assert [record.message for record in caplog.records] == ["the trust root is not refreshed: unreachable"]


async def test_an_error_that_nobody_foresaw_does_not_end_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(under_test, "LOOK_SECONDS", 0.001)
    states = iter([RuntimeError("boom")])

    async def state() -> Refreshment:
        for error in states:
            raise error
        return Refreshment(site.clock.now())

    monkeypatch.setattr(site, "state", state)
    work = asyncio.create_task(site.watch.run())
    await asyncio.wait_for(site.renewed.wait(), 5)
    work.cancel()
    assert "boom" in caplog.text
