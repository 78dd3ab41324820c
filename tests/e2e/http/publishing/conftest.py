"""A Pinfold to publish on, and somebody who may."""

import pytest
from tests.e2e.publisher import Publisher


@pytest.fixture
def overrides(overrides):
    return overrides | {
        "upstreams.pypi.freshness": "0s",
        "indexes.main.private": "acme-*",
        "indexes.other.private": "",
        "indexes.prod.packages_from": "main",
        "indexes.sandbox.upstreams": "",
        "publishing.max_file_size": "3MB",
        "publishing.idle_timeout": "1s",
        "feeds.osv.source": "",
    }


@pytest.fixture
async def publisher(pinfold):
    return await Publisher.of(pinfold)
