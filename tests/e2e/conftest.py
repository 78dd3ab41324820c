import re
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import running_upstream

REASON = re.compile(
    r"pinfold: quarantined by minimum-age: uploaded 3 h ago, needs 3 d; last good 1\.82\.6; ref (D-[A-Z2-7]{7})"
)
"""Why the later releases of `incident` are refused."""
CONFIG = """
[server]
access_log = true
[upstreams.pypi]
url = "{url}"
freshness = "0s"
[indexes.hiding]
refusals = "hide"
[indexes.strict]
policy = "strict"
"""


@pytest.fixture
def upstream():
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def config(upstream):
    return CONFIG.format(url=upstream.url)


@pytest.fixture
def server(config, tmp_path):
    with PinfoldServer(tmp_path / "pinfold", config) as server:
        yield server


@pytest.fixture
def incident(upstream):
    """LiteLLM's releases of March 2026 in shape and age: 1.82.6 is days old, 1.82.7 and 1.82.8 came hours ago."""
    now = datetime.now(UTC)
    days, hours = now - timedelta(days=4), now - timedelta(hours=3, minutes=5)
    hook = {"litellm_init.pth": b"# in the incident, this line ran at every start of the interpreter\n"}
    return {
        "1.82.5": upstream.add_file("litellm", "1.82.5", upload_time=days - timedelta(days=3)),
        "1.82.6": upstream.add_file("litellm", "1.82.6", upload_time=days),
        "1.82.7": upstream.add_file("litellm", "1.82.7", upload_time=hours),
        "1.82.8": upstream.add_file("litellm", "1.82.8", upload_time=hours, files=hook),
    }
