"""The fake index for tests that block: in a thread and an event loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.upstream.manners import PYPI, Manners
from tests.fakes.upstream.server import FakeUpstream


@contextmanager
def running_upstream(manners: Manners = PYPI) -> Iterator[FakeUpstream]:
    """Run a fake index beside the test, for real pip and uv to talk to."""
    upstream = FakeUpstream(manners)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-upstream", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(upstream.__aenter__(), loop).result(10)
        try:
            yield upstream
        finally:
            asyncio.run_coroutine_threadsafe(upstream.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
