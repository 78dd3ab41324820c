"""Fifty first requests at once, for one large wheel and for one huge page: how often is the upstream asked, and how
soon is the first byte here?

    make bench-herd            or, smaller:   make bench-herd ARGS="--clients 10 --mebibytes 20"

An upstream on loopback sends at a fixed rate; a Pinfold of its own stands in front. Prints the number of upstream
requests, the time to the first byte (median and worst), the time to the last, and the largest worker's peak memory.
What one client alone needs for the same is measured just before, within the same run.
"""

import argparse
import asyncio
import hashlib
import json
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.contestants import free_port
from tests.bench.load import cpu_seconds, peak_memory, settle
from tests.bench.slow_upstream import slow_upstream, times_asked
from tests.bench.wares import JSON_TYPE, MIB, Ware, write_upstream
from tests.e2e.server import PinfoldServer

FILES = 5000
"""Of the huge page, which has 2.7 MB."""


@dataclass(frozen=True)
class Arrival:
    """What one client saw."""

    status: int
    first: float
    """Seconds to the first byte of the body."""
    last: float
    received: int


async def fetch(server: str, path: str, check: str | None) -> Arrival:
    """Fetch a path over a connection that stays open, as pip's and uv's do.

    A bare socket whose bytes are thrown away where the kernel has them: what is measured is the server. `check` is the
    hash to insist on, which costs time.
    """
    host, _, port = server.removeprefix("http://").partition(":")
    loop, buffer, digest = asyncio.get_running_loop(), bytearray(MIB), hashlib.sha256()
    started, first = time.perf_counter(), 0.0
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, int(port)))
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {JSON_TYPE}\r\n\r\n"
        await loop.sock_sendall(connection, request.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(connection, 4096)
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        rest = head.partition(b"\r\n\r\n")[2]
        received = len(rest)
        if rest:
            first = time.perf_counter() - started
            digest.update(rest)
        while received < length and (count := await _receive(connection, buffer, 0 if check else socket.MSG_TRUNC)):
            first = first or time.perf_counter() - started
            received += count
            if check:
                digest.update(memoryview(buffer)[:count])
    if check and digest.hexdigest() != check:
        raise SystemExit(f"other bytes than expected: {head!r}")
    return Arrival(int(head.split()[1]), first, time.perf_counter() - started, received)


async def _receive(connection: socket.socket, buffer: bytearray, flags: int) -> int:
    """Wait for bytes and return how many were taken."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return connection.recv_into(buffer, len(buffer), flags)
        except BlockingIOError:
            readable = loop.create_future()
            loop.add_reader(connection, readable.set_result, None)
            try:
                await readable
            finally:
                loop.remove_reader(connection)


async def fetch_many(server: str, path: str, clients: int, sha256: str | None) -> list[Arrival]:
    """Fetch the same path from a number of clients at once; one of them checks the bytes."""
    return await asyncio.gather(*(fetch(server, path, None if n else sha256) for n in range(clients)))


@dataclass(frozen=True)
class Thing:
    """What clients ask Pinfold for, and what that should make it ask its upstream for, once."""

    name: str
    path: str
    behind: str
    sha256: str | None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--mebibytes", type=int, default=100)
    parser.add_argument("--rate", type=int, default=52, help="what the upstream sends, in MB/s")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    port, wheels = free_port(), [Ware(name, 3, options.mebibytes * MIB) for name in ("wheel-alone", "wheel-herd")]
    pages = [Ware(name, FILES) for name in ("page-alone", "page-herd")]
    with tempfile.TemporaryDirectory() as folder, slow_upstream(Path(folder), port, options.rate * 1_000_000):
        write_upstream(Path(folder), port, [*wheels, *pages])
        config = f'[server]\naccess_log = false\n[upstreams.pypi]\nurl = "http://127.0.0.1:{port}/simple/"\n'
        with PinfoldServer(Path(folder) / "pinfold", config, "--workers", str(options.workers)) as server:
            settle(server.pid)
            for alone, herd in (map(partial(wheel, Path(folder)), wheels), map(page, pages)):
                measure(server, port, herd, options.clients, measure(server, port, alone, 1, None))


def wheel(root: Path, ware: Ware) -> Thing:
    """Return a project's wheel."""
    entry = json.loads((root / "simple" / ware.project / "index.json").read_bytes())["files"][-1]
    sha256 = entry["hashes"]["sha256"]
    return Thing("wheel", f"/files/{ware.project}/{sha256}/{ware.wheel}", urlsplit(entry["url"]).path, sha256)


def page(ware: Ware) -> Thing:
    """Return a project's page."""
    return Thing("page", f"/simple/{ware.project}/", f"/simple/{ware.project}/", None)


def measure(server: PinfoldServer, port: int, thing: Thing, clients: int, alone: float | None) -> float:
    """Have something fetched by all at once and print how that went; return how long the slowest took."""
    before = cpu_seconds(server.pid)
    arrivals = asyncio.run(fetch_many(server.url, thing.path, clients, thing.sha256))
    spent = cpu_seconds(server.pid) - before
    if {arrival.status for arrival in arrivals} != {200} or len({arrival.received for arrival in arrivals}) != 1:
        raise SystemExit(f"not every client got the whole {thing.name}")
    firsts, last = [arrival.first for arrival in arrivals], max(arrival.last for arrival in arrivals)
    print(
        f"{thing.name}, {clients:3} clients: {times_asked(port, thing.behind)} upstream request(s), first byte after "
        f"{statistics.median(firsts):.3f} s (worst {max(firsts):.3f} s), last after {last:.2f} s"
        f"{f' ({last / alone:.2f} of one alone)' if alone else ''}, "
        f"{spent:.2f} s of CPU, peak memory {peak_memory(server.pid):.0f} MiB"
    )
    return last


if __name__ == "__main__":
    main()
