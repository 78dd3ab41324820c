"""A Pinfold to publish on, for uploads that mean harm."""

import pytest


@pytest.fixture
def overrides(overrides):
    return overrides | {"publishing.max_file_size": "2MB"}


@pytest.fixture
async def nothing_stays(pinfold):
    """See to it that a test leaves nothing behind."""
    yield
    assert (await pinfold.installation.published.current()).projects == {}
    assert list(pinfold.installation.data.incoming.iterdir()) == []
    assert [path for path in pinfold.installation.data.blobs.rglob("*") if path.is_file()] == []
