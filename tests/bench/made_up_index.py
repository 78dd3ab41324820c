"""An upstream that has every project: a page of as many files as the project's name says, made up on the spot.

    python -m tests.bench.made_up_index

Prints the port on loopback that it listens on. `f300-17` is a project with 300 files; its wheels have no bytes.
"""

import asyncio
import functools
import hashlib
import json
import re
import sys

from aiohttp import web
from tests.bench.wares import JSON_TYPE

_NAME = re.compile(r"/simple/(f(\d+)-\d+)/")


@functools.lru_cache
def _template(files: int) -> str:
    entries = []
    for number in range(files):
        filename = f"NAME_-{number // 100}.{number // 10 % 10}.{number % 10}-py3-none-any.whl"
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
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "NAME", "files": entries})


async def _answer(request: web.BaseRequest) -> web.Response:
    found = _NAME.fullmatch(request.path)
    if found is None:
        return web.Response(status=404)
    body = _template(int(found[2])).replace("NAME_", found[1].replace("-", "_")).replace("NAME", found[1])
    return web.Response(text=body, content_type=JSON_TYPE)


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
