"""How does the cost of a request, and of memory, grow with what a server has to do?

    make bench-growth          or, smaller:   make bench-growth ARGS="--most-projects 10000"

Each curve has a Pinfold of its own, with one worker, in front of an upstream that makes up projects. `cold` is the
first request for a page: fetched, parsed, judged and rendered; `warm` is any later one. CPU is that of the server's
processes, whatever else the machine does. The audit log and advisories have benchmarks of their own, beside this one.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.load import cpu_seconds, process_tree
from tests.bench.made_up_index import made_up_index
from tests.bench.wares import JSON_TYPE
from tests.e2e.server import PinfoldServer

PROJECTS = (100, 1_000, 10_000, 100_000)
FILES = (10, 100, 1_000, 10_000)
RULES = (1, 20, 200)
CONNECTIONS = (16, 64, 256, 1_000, 2_000)
REQUESTS = 1_000_000
PORTIONS = 10


@dataclass(frozen=True)
class Point:
    """One point of one curve."""

    curve: str
    at: int
    cold_ms: float | None
    """CPU of a first request, in milliseconds."""
    warm_us: float
    """CPU of a later one, in microseconds."""
    rate: float
    """Later requests a second, from one client machine that shares the cores."""
    memory: float
    """Of the serving process, in MiB: what is its own, and its share of what it has in common with others."""


class Loaded:
    """A Pinfold under load."""

    def __init__(self, server: PinfoldServer) -> None:
        self._server = server
        self.port = int(server.url.rpartition(":")[2])

    def cold(self, projects: list[str]) -> float:
        """Ask for projects for the first time, and return what one costs, in milliseconds of CPU."""
        before = cpu_seconds(self._server.pid)
        asyncio.run(_ask_for_all(self.port, projects))
        return (cpu_seconds(self._server.pid) - before) * 1e3 / len(projects)

    def warm(self, name: str, count: int, *, connections: int = 16, seconds: float = 4) -> tuple[float, float]:
        """Ask for known projects at random; return microseconds of CPU a request, and requests a second."""
        path = f'"/simple/{name}-" .. math.random(0, {count - 1}) .. "/"'
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(f'request = function() return wrk.format("GET", {path}) end\n')
            script.flush()
            flags = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "-s", script.name]
            before = cpu_seconds(self._server.pid)
            done = subprocess.run(
                ["wrk", *flags, "-H", f"Accept: {JSON_TYPE}", f"http://127.0.0.1:{self.port}"],
                capture_output=True,
                text=True,
                check=True,
            )
            spent = cpu_seconds(self._server.pid) - before
        found = re.search(r"(\d+) requests in", done.stdout)
        if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            raise SystemExit(f"not every answer was one:\n{done.stdout}")
        return spent * 1e6 / int(found[1]), int(found[1]) / seconds

    def memory(self) -> float:
        """Return the largest worker's proportional set size, in MiB."""
        return max(_memory(pid) for pid in process_tree(self._server.pid) if pid != self._server.pid)


@contextmanager
def pinfold(upstream: str, policy: str | None = None) -> Iterator[Loaded]:
    """Start a Pinfold with one worker, in a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder:
        config = f'[upstreams.pypi]\nurl = "{upstream}"\nfreshness = "1d"\n[server]\naccess_log = false\n'
        if policy is not None:
            (Path(folder) / "policy.toml").write_text(policy)
            config += f'[indexes.main]\npolicy = "{folder}/policy.toml"\n'
        with PinfoldServer(Path(folder) / "pinfold", config) as server:
            yield Loaded(server)


def over_projects(upstream: str, most: int) -> Iterator[Point]:
    """More and more projects of ten files; all that were asked for before are asked for again."""
    with pinfold(upstream) as loaded:
        known = 0
        for count in (count for count in PROJECTS if count <= most):
            cold = loaded.cold([f"f10-{number}" for number in range(known, count)])
            known = count
            yield Point("projects", count, cold, *loaded.warm("f10", count), loaded.memory())


def over_files(upstream: str) -> Iterator[Point]:
    """Longer and longer pages, five of each length."""
    for files in FILES:
        with pinfold(upstream) as loaded:
            cold = loaded.cold([f"f{files}-{number}" for number in range(5)])
            yield Point("files", files, cold, *loaded.warm(f"f{files}", 5), loaded.memory())


def over_rules(upstream: str) -> Iterator[Point]:
    """Longer and longer policies, for pages of 300 files: half of the rules are about other projects."""
    for rules in RULES:
        teams = [f'"team-{number}-*"' if number % 2 else '"*"' for number in range(rules)]
        policy = "".join(f'[[rule]]\nid = "minimum-age"\nmatch = {{ projects = [{team}] }}\n' for team in teams)
        with pinfold(upstream, policy) as loaded:
            cold = loaded.cold([f"f300-{number}" for number in range(20)])
            yield Point("rules", rules, cold, *loaded.warm("f300", 20), loaded.memory())


def over_connections(upstream: str) -> Iterator[Point]:
    """More and more connections that ask at once, for a thousand projects."""
    with pinfold(upstream) as loaded:
        loaded.cold([f"f10-{number}" for number in range(1000)])
        for connections in CONNECTIONS:
            warm = loaded.warm("f10", 1000, connections=connections)
            yield Point("connections", connections, None, *warm, loaded.memory())


def over_requests(upstream: str) -> Iterator[Point]:
    """A million requests for a thousand projects: does memory stay where it was?"""
    with pinfold(upstream) as loaded:
        cold = loaded.cold([f"f10-{number}" for number in range(1000)])
        asked, due = 0.0, 0.0
        while due < REQUESTS:
            warm, rate = loaded.warm("f10", 1000, connections=64, seconds=5)
            asked += rate * 5
            if asked >= due:
                due = asked + REQUESTS / PORTIONS
                yield Point("requests", int(asked), cold, warm, rate, loaded.memory())


async def _ask_for_all(port: int, projects: list[str], at_once: int = 8) -> None:
    waiting = iter(projects)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for project in waiting:
            writer.write(f"GET /simple/{project}/ HTTP/1.1\r\nHost: x\r\nAccept: {JSON_TYPE}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", head)
            if not head.startswith("http/1.1 200") or length is None:
                raise ConnectionError(f"{project}: {head}")
            await reader.readexactly(int(length[1]))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(at_once)))


def _memory(pid: int) -> float:
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Measure every curve, print it, and write all of them as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--most-projects", type=int, default=PROJECTS[-1])
    parser.add_argument("--only", choices=["projects", "files", "rules", "connections", "requests"])
    parser.add_argument("--output", type=Path, help="where to write the points as JSON")
    chosen = parser.parse_args()
    curves: dict[str, Callable[[str], Iterator[Point]]] = {
        "projects": lambda upstream: over_projects(upstream, chosen.most_projects),
        "files": over_files,
        "rules": over_rules,
        "connections": over_connections,
        "requests": over_requests,
    }
    points = []
    started = time.monotonic()
    with made_up_index() as upstream:
        print("| curve | at | cold, ms of CPU | warm, µs of CPU | requests/s | memory, MiB |")
        print("|---|--:|--:|--:|--:|--:|")
        for name, curve in curves.items():
            for point in curve(upstream) if chosen.only in (None, name) else ():
                points.append(point)
                cold = "" if point.cold_ms is None else f"{point.cold_ms:.1f}"
                figures = f"{point.warm_us:.0f} | {point.rate:,.0f} | {point.memory:.0f}"
                print(f"| {point.curve} | {point.at:,} | {cold} | {figures} |", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")
    if chosen.output:
        chosen.output.write_text(json.dumps([asdict(point) for point in points], indent=1))


if __name__ == "__main__":
    main()
