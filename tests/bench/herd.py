"""Fifty first requests at once for one large wheel: how often is the upstream asked, how soon is the first byte here?

    make bench-herd            or, smaller:   make bench-herd ARGS="--clients 10 --mebibytes 20"

A fake upstream on loopback sends at a fixed rate; a Pinfold of its own stands in front. Prints the number of upstream
requests, the time to the first byte (median and worst), the time to the last, and the server's peak memory. The first
line is the same transfer by one client alone, so that the two can be compared within one run.
"""

import argparse
import asyncio
import hashlib
import re
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.server import PinfoldServer
from tests.fakes.upstream import Fault, running_upstream

MIB = 1024 * 1024
SLICES_A_SECOND = 50


async def fetch(server: str, path: str, check: str | None) -> tuple[float, float, int]:
    """Return the seconds to the first and to the last byte, and how many came.

    A bare socket and one buffer: what is measured is the server. `check` is the hash to insist on, which costs time.
    """
    host, _, port = server.removeprefix("http://").partition(":")
    loop, buffer, digest = asyncio.get_running_loop(), bytearray(MIB), hashlib.sha256()
    started, first, received = time.perf_counter(), 0.0, 0
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, (host, int(port)))
        await loop.sock_sendall(connection, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(connection, 4096)
        rest = head.partition(b"\r\n\r\n")[2]
        if rest:
            first, received = time.perf_counter() - started, len(rest)
            digest.update(rest)
        while count := await loop.sock_recv_into(connection, buffer):
            first = first or time.perf_counter() - started
            received += count
            if check:
                digest.update(memoryview(buffer)[:count])
    if check and digest.hexdigest() != check:
        raise SystemExit(f"other bytes than expected: {head!r}")
    return first, time.perf_counter() - started, received


async def fetch_many(server: str, path: str, clients: int, sha256: str) -> list[tuple[float, float, int]]:
    """Fetch the same path from a number of clients at once; one of them checks the bytes."""
    return await asyncio.gather(*(fetch(server, path, None if n else sha256) for n in range(clients)))


def peak_memory(pid: int) -> float:
    """Return the largest resident size that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--mebibytes", type=int, default=100)
    parser.add_argument("--rate", type=int, default=52, help="what the upstream sends, in MB/s")
    options = parser.parse_args()
    drip = Fault(drip=(options.rate * 1_000_000 // SLICES_A_SECOND, 1 / SLICES_A_SECOND))
    content = hashlib.shake_128(b"herd").digest(options.mebibytes * MIB)
    with running_upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        config = f'[server]\naccess_log = false\n[upstreams.pypi]\nurl = "{upstream.url}"\n'
        with PinfoldServer(Path(folder), config) as server:
            idle = peak_memory(server.pid)
            for clients, project in ((1, "alone"), (options.clients, "herd")):
                file = upstream.add_file(project, "1.0", content=content + project.encode())
                upstream.befall(file, drip)
                results = asyncio.run(fetch_many(server.url, file.path, clients, file.sha256))
                if {received for _, _, received in results} != {len(file.content)}:
                    raise SystemExit("not every client got the whole file")
                firsts, lasts = [result[0] for result in results], [result[1] for result in results]
                print(
                    f"{clients:3} clients: {len(upstream.requests_for(file))} upstream request(s), first byte after "
                    f"{statistics.median(firsts):.3f} s (worst {max(firsts):.3f} s), last after {max(lasts):.2f} s, "
                    f"peak memory {peak_memory(server.pid):.0f} MiB ({idle:.0f} MiB before)"
                )


if __name__ == "__main__":
    main()
