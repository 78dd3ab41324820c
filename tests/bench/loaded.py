"""A Pinfold with one worker under load, in front of an upstream that makes up projects: what requests and memory cost.

CPU is that of the server's processes, whatever else the machine does.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.load import cpu_seconds, process_tree
from tests.bench.wares import JSON_TYPE
from tests.e2e.server import PinfoldServer

ROOT = Path(__file__).parents[2]
LONGEST = 900
"""Seconds for what has to be done before a server starts."""


class Loaded:
    """A Pinfold under load."""

    def __init__(self, server: PinfoldServer) -> None:
        self._server = server
        self.port = int(server.url.rpartition(":")[2])

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self._server.data

    def cold(self, paths: Sequence[str]) -> float:
        """Ask for each path for the first time, and return what one costs, in milliseconds of CPU."""
        before = cpu_seconds(self._server.pid)
        asyncio.run(_ask_for_all(self.port, paths))
        return (cpu_seconds(self._server.pid) - before) * 1e3 / len(paths)

    def warm(self, choice: str, *, connections: int = 16, seconds: float = 4) -> tuple[float, float]:
        """Ask for known paths at random; return microseconds of CPU a request, and requests a second.

        `choice` is a function in Lua, named `choose`: see `pages` and `any_of`.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(f'{choice}\nrequest = function() return wrk.format("GET", choose()) end\n')
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


def page(name: str, number: int) -> str:
    """Return the path of a made-up project's page."""
    return f"/simple/{name}-{number}/"


def pages(name: str, count: int) -> str:
    """Choose among the pages of so many projects."""
    return f'function choose() return "/simple/{name}-" .. math.random(0, {count - 1}) .. "/" end'


def any_of(paths: Sequence[str]) -> str:
    """Choose among paths."""
    listed = ", ".join(f'"{path}"' for path in paths)
    return f"local all = {{ {listed} }}\nfunction choose() return all[math.random(#all)] end"


@contextmanager
def pinfold(upstream: str, config: str = "", folder: Path | None = None, first: Sequence[str] = ()) -> Iterator[Loaded]:
    """Start a Pinfold in a folder, or in one that goes with it, once the command `first` has been carried out."""
    common = f'[upstreams.pypi]\nurl = "{upstream}"\nfreshness = "1d"\n[server]\naccess_log = false\n'
    with tempfile.TemporaryDirectory() as temporary:
        server = PinfoldServer(folder or Path(temporary, "pinfold"), common + config)
        if first:
            server.run(*first, seconds=LONGEST)
        with server:
            _settle(server.pid)
            yield Loaded(server)


def _settle(pid: int) -> None:
    """Wait until a server has done what it does once it is up, which no request should be charged with."""
    before = -1.0
    while (spent := cpu_seconds(pid)) - before > 0.05:
        before = spent
        time.sleep(0.5)


@contextmanager
def made_up_index() -> Iterator[str]:
    """Start the upstream, and yield its index's address."""
    command = [sys.executable, "-m", "tests.bench.made_up_index"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/simple/"
        finally:
            process.terminate()


async def _ask_for_all(port: int, paths: Sequence[str], at_once: int = 8) -> None:
    # A page is rendered for the address that it is asked for by: wrk's, as later.
    waiting, host = iter(paths), f"127.0.0.1:{port}"

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in waiting:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {JSON_TYPE}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", head)
            if not head.startswith("http/1.1 200") or length is None:
                raise ConnectionError(f"{path}: {head}")
            await reader.readexactly(int(length[1]))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(at_once)))


def _memory(pid: int) -> float:
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) / 1024 if found else 0.0
