"""An index that serves harmless distributions over HTTP, and fails in every way that an index can.

async with FakeUpstream() as upstream:
    file = upstream.add_file("litellm", "1.82.6")
    upstream.befall(file, Fault(truncate_at=100, times=1))
    ...
    assert len(upstream.requests_for(file)) == 2
"""

from tests.fakes.upstream.catalogue import FakeFile
from tests.fakes.upstream.distributions import build_sdist, build_wheel
from tests.fakes.upstream.manners import POOR, PYPI, Fault, Manners
from tests.fakes.upstream.server import FakeUpstream
from tests.fakes.upstream.threaded import running_upstream

__all__ = [
    "POOR",
    "PYPI",
    "FakeFile",
    "FakeUpstream",
    "Fault",
    "Manners",
    "build_sdist",
    "build_wheel",
    "running_upstream",
]
