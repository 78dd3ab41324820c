"""An index in a process of its own that sends what is in a folder at a fixed rate, and counts who asked for what."""

import asyncio
import json
import mmap
import multiprocessing
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tests.bench.wares import JSON_TYPE

_ASKED = "/asked"
_PAUSE = 0.01


@contextmanager
def slow_upstream(root: Path, port: int, rate: int) -> Iterator[None]:
    """Serve a folder at a port of 127.0.0.1, at so many bytes a second on each connection."""
    near, far = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(far, root, port, rate), daemon=True)
    process.start()
    try:
        near.recv()
        yield
    finally:
        process.kill()
        process.join()


def times_asked(port: int, path: str) -> int:
    """Return how often the upstream at a port was asked for a path."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{_ASKED}", timeout=10) as answer:
        return int(json.load(answer).get(path, 0))


def _run(ready: Connection, root: Path, port: int, rate: int) -> None:
    asyncio.run(_serve(ready, root, port, rate))


async def _serve(ready: Connection, root: Path, port: int, rate: int) -> None:
    asked: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        asked[path] += 1
        body = memoryview(json.dumps(asked).encode()) if path == _ASKED else _content(root, path)
        lines = ["HTTP/1.1 200 OK", f"Content-Type: {JSON_TYPE}", f"Content-Length: {len(body)}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await _send(writer, body, rate)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=256)
    ready.send(None)
    await server.serve_forever()


async def _send(writer: asyncio.StreamWriter, body: memoryview, rate: int) -> None:
    """Send as much as is due each time, so that a late wake-up is made up for."""
    now = asyncio.get_running_loop().time
    started, sent = now(), 0
    while sent < len(body):
        due = int((now() - started + _PAUSE) * rate)
        writer.write(body[sent:due])
        await writer.drain()
        sent = due
        await asyncio.sleep(_PAUSE)


def _content(root: Path, path: str) -> memoryview:
    place = root / path.strip("/")
    with (place / "index.json" if place.is_dir() else place).open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
