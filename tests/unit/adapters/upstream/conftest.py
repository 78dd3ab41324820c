from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver
from tests.fakes.upstream import FakeUpstream

from pinfold.adapters.upstream import HttpUpstream, UpstreamOptions

Connect = Callable[..., HttpUpstream]


@pytest.fixture
async def index() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as running:
        yield running


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes upstreams that lose patience soon, and closes them."""
    made: list[HttpUpstream] = []

    def connect(
        url: str, *, resolver: AbstractResolver | None = None, observer: Any = None, **chosen: Any
    ) -> HttpUpstream:
        impatient = {"connect_timeout": 1, "idle_timeout": 1, "total_timeout": 5, "backoff": 0.001, "trust_env": False}
        options = UpstreamOptions(name="pypi", url=url, **{**impatient, **chosen})
        made.append(HttpUpstream(options, resolver=resolver, observer=observer))
        return made[-1]

    yield connect
    for upstream in made:
        await upstream.aclose()
