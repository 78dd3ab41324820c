"""A Pinfold in the test's own event loop and the upstream before it, for requests as they are written on the wire.

A module that wants other settings extends `overrides`.
"""

import pytest
from tests.e2e.in_process import in_process
from tests.fakes.sigstore import LocalSigstore
from tests.fakes.upstream import FakeUpstream


@pytest.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def overrides(upstream):
    return {"upstreams.pypi.url": upstream.url}


@pytest.fixture
async def pinfold(overrides, tmp_path):
    async with in_process(tmp_path / "data", overrides) as pinfold:
        yield pinfold


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory):
    return LocalSigstore(tmp_path_factory.mktemp("sigstore"))
