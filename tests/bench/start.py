"""How long does Pinfold take to start: a server until it is ready, and a command until it has answered?

    make bench-start           or, longer:   make bench-start ARGS="--rounds 21"

Ready is the first 200 of `/readyz`, complete is when all workers accept connections. A new data directory gets its
databases and keys first; one that is there is what a restart finds. CPU is that of all processes, whatever else the
machine does. Bytecode is compiled beforehand, as an installer does.
"""

import argparse
import compileall
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.load import cpu_seconds
from tests.e2e.server import environment

import pinfold

LONGEST = 30.0
"""Seconds to wait for a server."""


class Took(NamedTuple):
    """One start."""

    ready: float
    """Seconds."""
    complete: float
    cpu: float
    """Seconds, until it was complete."""


def serve(data: Path, workers: int) -> Took:
    """Start a server, wait for it, and stop it again."""
    port = _free_port()
    begun = time.monotonic()
    with subprocess.Popen(
        _command("serve", "--workers", str(workers), "--port", str(port), "--data", str(data)),
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"PINFOLD_FEEDS__OSV__SOURCE": ""},
        cwd=data.parent,
    ) as process:
        try:
            ready = _wait(lambda: _is_ready(port)) - begun
            assert process.stderr is not None
            next(line for line in process.stderr if "serves" in line)
            complete, cpu = time.monotonic() - begun, cpu_seconds(process.pid)
        finally:
            process.terminate()
            process.communicate()
    return Took(ready, complete, cpu)


def answer(data: Path, *words: str) -> Took:
    """Run a command to its end."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(_command(*words), capture_output=True, check=True, env=environment(), cwd=data.parent)
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(seconds, seconds, cpu)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "pinfold", *words]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _wait(what: Callable[[], bool]) -> float:
    deadline = time.monotonic() + LONGEST
    while not what():
        if time.monotonic() > deadline:
            raise SystemExit(f"not ready within {LONGEST:g} s")
        time.sleep(0.005)
    return time.monotonic()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=LONGEST) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def main() -> None:
    """Measure each start several times, in turns, and print the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    compileall.compile_dir(Path(pinfold.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "known")
        serve(known, 1)
        starts: dict[str, Callable[[int], Took]] = {
            "serve --workers 1": lambda _: serve(known, 1),
            "serve --workers 2": lambda _: serve(known, 2),
            "serve --workers 2, new data directory": lambda number: serve(Path(folder, f"new-{number}"), 2),
            "--version": lambda _: answer(known, "--version"),
            "--help": lambda _: answer(known, "--help"),
            "index list": lambda _: answer(known, "index", "list", "--data", str(known)),
            "audit search": lambda _: answer(known, "audit", "search", "--data", str(known)),
        }
        took: dict[str, list[Took]] = {name: [] for name in starts}
        for number in range(rounds):
            for name, start in starts.items():
                took[name].append(start(number))
    print(f"load {os.getloadavg()[0]:.1f}, medians of {rounds}\n")
    print("| `pinfold ...` | ready, s | complete, s | CPU, s | fastest, s |")
    print("|---|--:|--:|--:|--:|")
    for name, each in took.items():
        ready, complete, cpu = (statistics.median(values) for values in zip(*each, strict=True))
        print(f"| `{name}` | {ready:.2f} | {complete:.2f} | {cpu:.2f} | {min(each).ready:.2f} |")


if __name__ == "__main__":
    main()
