import time
from typing import Any

import pytest

from pinfold.adapters.upstream.failures import Transient
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.retry import retried
from pinfold.domain.errors import UpstreamError


class Attempts:
    """Fails with each error in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.times: list[float] = []
        self._errors = list(errors)

    async def __call__(self) -> str:
        self.times.append(time.monotonic())
        if self._errors:
            raise self._errors.pop(0)
        return "answer"


def options(**chosen: Any) -> UpstreamOptions:
    return UpstreamOptions(name="pypi", url="https://index.example/simple/", **{"backoff": 0.0001, **chosen})


async def test_transient_failures_are_survived() -> None:
    attempts = Attempts(Transient("one"), Transient("two"), Transient("three"))
    assert await retried(attempts, options()) == "answer"
    assert len(attempts.times) == 4


async def test_the_last_failure_is_raised() -> None:
    attempts = Attempts(Transient("one"), Transient("two"), Transient("three"))
    with pytest.raises(Transient, match="two"):
        await retried(attempts, options(retries=1))
    assert len(attempts.times) == 2


async def test_no_retries_means_one_attempt() -> None:
    attempts = Attempts(Transient("one"))
    with pytest.raises(Transient):
        await retried(attempts, options(retries=0))
    assert len(attempts.times) == 1


@pytest.mark.parametrize("error", [UpstreamError("no"), ValueError("no")])
async def test_other_failures_are_final(error: Exception) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        await retried(attempts, options())
    assert len(attempts.times) == 1


async def test_pauses_grow() -> None:
    attempts = Attempts(Transient("one"), Transient("two"), Transient("three"))
    await retried(attempts, options(backoff=0.01))
    pauses = [later - earlier for earlier, later in zip(attempts.times, attempts.times[1:], strict=False)]
    assert all(pause >= least for pause, least in zip(pauses, [0.005, 0.01, 0.02], strict=True))


async def test_an_upstream_gets_the_pause_that_it_asks_for() -> None:
    attempts = Attempts(Transient("busy", retry_after=0.05))
    await retried(attempts, options())
    assert attempts.times[1] - attempts.times[0] >= 0.05


async def test_an_upstream_that_asks_for_a_long_pause_is_left_alone() -> None:
    attempts = Attempts(Transient("busy", retry_after=11))
    with pytest.raises(Transient):
        await retried(attempts, options())
    assert len(attempts.times) == 1
