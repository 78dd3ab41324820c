"""An upstream that has every project: a page of as many files as the project's name says, made up on the spot.

    python -m tests.bench.made_up_index

Prints the port on loopback that it listens on. `f300-17` is a project with 300 files, `project-17` one with ten, and
their wheels have no bytes; `wheel-17` has one small wheel that does.
"""

import asyncio
import functools
import hashlib
import json
import random
import re
import sys

from aiohttp import web
from tests.bench.wares import JSON_TYPE
from tests.fakes.upstream import build_wheel

_PAGE = re.compile(r"/simple/((?:f(\d+)|project)-\d+)/")
_WHEEL_PAGE = re.compile(r"/simple/wheel-(\d+)/")
_WHEEL = re.compile(r"/packages/wheel_(\d+)-1\.0-py3-none-any\.whl")
WHEEL_BYTES = 16 * 1024


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


@functools.lru_cache
def _wheel(number: int) -> bytes:
    noise = random.Random(number).randbytes(WHEEL_BYTES)
    return build_wheel(f"wheel-{number}", "1.0", files={"noise.bin": noise})


def _wheel_name(number: int) -> str:
    return f"wheel_{number}-1.0-py3-none-any.whl"


def wheel_path(number: int) -> str:
    """Return the path that Pinfold serves the wheel of `wheel-N` at."""
    return f"/files/wheel-{number}/{hashlib.sha256(_wheel(number)).hexdigest()}/{_wheel_name(number)}"


def _wheel_page(number: int, origin: str) -> str:
    content = _wheel(number)
    entry = {
        "filename": _wheel_name(number),
        "url": f"{origin}/packages/{_wheel_name(number)}",
        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        "size": len(content),
        "upload-time": "2024-03-01T12:00:00.123456Z",
    }
    return json.dumps({"meta": {"api-version": "1.1"}, "name": f"wheel-{number}", "files": [entry]})


async def _answer(request: web.BaseRequest) -> web.Response:
    if found := _PAGE.fullmatch(request.path):
        return web.Response(text=page_of(found[1], int(found[2] or 10)), content_type=JSON_TYPE)
    if found := _WHEEL_PAGE.fullmatch(request.path):
        return web.Response(text=_wheel_page(int(found[1]), f"http://{request.host}"), content_type=JSON_TYPE)
    if found := _WHEEL.fullmatch(request.path):
        return web.Response(body=_wheel(int(found[1])))
    return web.Response(status=404)


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
