"""A Pinfold to publish on, for uploads that mean harm."""

import pytest
from tests.e2e.in_process import in_process
from tests.e2e.publisher import Publisher
from tests.fakes.upstream import FakeUpstream


@pytest.fixture
async def pinfold(tmp_path):
    async with FakeUpstream() as upstream:
        overrides = {
            "upstreams.pypi.url": upstream.url,
            "indexes.main.private": "acme-*",
            "publishing.max_file_size": "2MB",
            "publishing.idle_timeout": "1s",
            "feeds.osv.source": "",
        }
        async with in_process(tmp_path / "data", overrides) as pinfold:
            yield pinfold


@pytest.fixture
async def publisher(pinfold):
    return await Publisher.of(pinfold)


@pytest.fixture
async def nothing_stays(pinfold):
    """See to it that a test leaves nothing behind."""
    yield
    assert (await pinfold.installation.published.current()).projects == {}
    assert list(pinfold.installation.data.incoming.iterdir()) == []
    assert [path for path in pinfold.installation.data.blobs.rglob("*") if path.is_file()] == []
