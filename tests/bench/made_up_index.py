"""An upstream that has every project: a page of as many files as the project's name says, made up on the spot.

    python -m tests.bench.made_up_index

Prints the port on loopback that it listens on. `f300-17` is a project with 300 files; its wheels have no bytes.
"""

import asyncio
import functools
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from tests.bench.wares import JSON_TYPE

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"/simple/(f(\d+)-\d+)/")


@contextmanager
def made_up_index() -> Iterator[str]:
    """Run it in a process of its own, and yield its address."""
    command = [sys.executable, "-m", "tests.bench.made_up_index"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/simple/"
        finally:
            process.terminate()


def page_of(project: str, files: int) -> str:
    """Return a project's page."""
    return _template(files).replace("NAME_", project.replace("-", "_")).replace("NAME", project)


@functools.lru_cache
def _template(files: int) -> str:
    entries = []
    versions = [f"{number // 100}.{number // 10 % 10}.{number % 10}" for number in range(files)]
    for number, version in enumerate(versions):
        filename = f"NAME_-{version}-py3-none-any.whl"
        digest = hashlib.sha256(filename.encode()).hexdigest()
        entries.append(
            {
                "filename": filename,
                "url": f"http://127.0.0.1:9/packages/{digest[:8]}/{filename}",
                "hashes": {"sha256": digest},
                "requires-python": ">=3.8",
                "size": 12345,
                "upload-time": f"2024-03-01T12:{number // 60 % 60:02}:{number % 60:02}.123456Z",
                "core-metadata": {"sha256": digest},
                "yanked": False,
            }
        )
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "NAME", "versions": versions, "files": entries})


async def _answer(request: web.BaseRequest) -> web.Response:
    found = _NAME.fullmatch(request.path)
    if found is None:
        return web.Response(status=404)
    return web.Response(text=page_of(found[1], int(found[2])), content_type=JSON_TYPE)


async def _serve() -> None:
    server = web.ServerRunner(web.Server(_answer))
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{server.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
