"""What a user feels: how long do uv and pip take for thirty wheels through Pinfold, and how long without it?

    make bench-clients          or, narrower:   make bench-clients ARGS="--only uv --rounds 3"

Warm: everything was asked for before, beside nginx serving the very pages and files that Pinfold answers with. Cold: a
Pinfold that has never been asked for anything, beside going straight to its upstream; the same once more with the
upstream 15 ms away. Runs take turns, in an order that changes with each round; figures are medians. A client starts
with empty caches each time, and writes to memory where it can: a disk may take longer for what it unpacks than all else
does, and would be what is compared. Each run is checked: all thirty wheels have to be there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.contestants import ACCEPT, NginxStatic, get
from tests.bench.distance import at_a_distance
from tests.bench.load import cpu_seconds, settle
from tests.bench.peers import what_is_missing
from tests.bench.projects import Made, asked_for, make_projects, write_index
from tests.e2e.clients import CLIENTS
from tests.e2e.server import PinfoldServer, environment
from tests.scratch import memory

DISTANCE = 0.015
WARM_GOAL, COLD_GOAL = 1.1, 1.2
PATIENCE = 120

Way = Callable[[], AbstractContextManager[tuple[str, int | None]]]
"""Yields where the simple API is, and Pinfold's process where it is Pinfold's."""


class Mirror(NginxStatic):
    """nginx with pages where clients look for them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        super().__init__(folder, "")
        self.locations += " location /simple/ { index index.json; }"


class Installer(ABC):
    """A real client, apart from the machine's settings and caches."""

    name: str

    @abstractmethod
    def command(self, index: str, target: Path) -> list[str]:
        """Return the command line that brings requirements from an index into a folder."""

    @abstractmethod
    def brought(self, target: Path) -> set[tuple[str, ...]]:
        """Return the project and version of each wheel that came; the client itself has checked its hash."""

    def run(self, index: str, folder: Path, projects: list[Made]) -> float:
        """Bring all projects into a fresh folder, and return the seconds that it took."""
        variables = {name: value for name, value in environment().items() if name != "PYTHONWARNINGS"}
        with tempfile.TemporaryDirectory(dir=memory() or folder) as fresh:
            variables["TMPDIR"], target = fresh, Path(fresh) / "target"
            command = [*self.command(index, target), *asked_for(projects)]
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=PATIENCE, check=False)
            seconds, brought = time.perf_counter() - started, self.brought(target)
        if done.returncode or brought != {tuple(project.filename.split("-")[:2]) for project in projects}:
            raise SystemExit(f"{self.name} from {index}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return seconds


class Uv(Installer):
    """Installs."""

    name = "uv pip install"

    def command(self, index: str, target: Path) -> list[str]:
        """Return the command line."""
        program = [str(CLIENTS / "uv" / "bin" / "uv"), "--no-config", "--no-cache", "pip", "install", "--quiet"]
        return [*program, "--python", sys.executable, "--default-index", index, "--target", str(target)]

    def brought(self, target: Path) -> set[tuple[str, ...]]:
        """Return what was installed."""
        return {tuple(info.name.removesuffix(".dist-info").split("-")) for info in target.glob("*.dist-info")}


class Pip(Installer):
    """Downloads."""

    name = "pip download"

    def command(self, index: str, target: Path) -> list[str]:
        """Return the command line."""
        program = [str(CLIENTS / "pip-newest" / "bin" / "python"), "-m", "pip", "--isolated", "download", "--quiet"]
        flags = ["--disable-pip-version-check", "--no-cache-dir", "--only-binary", ":all:"]
        return [*program, *flags, "--index-url", index, "--dest", str(target)]

    def brought(self, target: Path) -> set[tuple[str, ...]]:
        """Return what was downloaded."""
        return {tuple(wheel.name.split("-")[:2]) for wheel in target.glob("*.whl")}


INSTALLERS = (Uv(), Pip())


@dataclass
class Comparison:
    """One client, by two ways."""

    name: str
    installer: Installer
    goal: float
    straight: Way
    """The mark."""
    through: Way
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"straight": [], "through": []})
    cpu: list[float] = field(default_factory=list)
    """Seconds of Pinfold's, a run."""

    def run(self, number: int, folder: Path, projects: list[Made]) -> None:
        """Go both ways once."""
        ways = [("straight", self.straight), ("through", self.through)]
        for name, way in ways if number % 2 else reversed(ways):
            with way() as (index, pid):
                before = cpu_seconds(pid) if pid else 0.0
                self.seconds[name].append(self.installer.run(index, folder, projects))
                if pid:
                    self.cpu.append(cpu_seconds(pid) - before)

    def as_json(self) -> dict[str, Any]:
        """Return the figures."""
        straight, through = (statistics.median(self.seconds[name]) for name in ("straight", "through"))
        return {
            "what": self.name,
            "straight_seconds": round(straight, 3),
            "through_seconds": round(through, 3),
            "ratio": round(through / straight, 3),
            "goal": self.goal,
            "pinfold_cpu_seconds": round(statistics.median(self.cpu), 3),
        }


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="part of a comparison's name, such as uv or cold")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if missing := what_is_missing([]):
        print("this cannot run yet:", *missing, sep="\n  ", file=sys.stderr)
        return 2
    projects = make_projects()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinfold-clients-")))
        upstream = Mirror(folder, "upstream")
        write_index(upstream.root, projects)
        upstream.start()
        stack.callback(upstream.stop)
        far = stack.enter_context(at_a_distance(upstream.port, DISTANCE))
        flags = ("--workers", str(options.workers))
        pairs = {
            "warm": (WARM_GOAL, *_warm(stack, folder, upstream.port, flags, projects)),
            "cold": (COLD_GOAL, *_cold(folder, upstream.port, flags)),
            "cold, far away": (COLD_GOAL, *_cold(folder, far, flags)),
        }
        compared = [
            comparison
            for installer in INSTALLERS
            for name, (goal, straight, through) in pairs.items()
            if options.only
            in (comparison := Comparison(f"{installer.name}, {name}", installer, goal, straight, through)).name
        ]
        for number in range(options.rounds):
            for comparison in compared:
                comparison.run(number, folder, projects)
    report = [comparison.as_json() for comparison in compared]
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 0


def _warm(stack: ExitStack, folder: Path, port: int, flags: tuple[str, ...], projects: list[Made]) -> tuple[Way, Way]:
    """Start nginx with everything that Pinfold answers, and that Pinfold."""
    pinfold = stack.enter_context(PinfoldServer(folder / "warm", _config(port), *flags))
    mark = Mirror(folder, "mark")
    for project in projects:
        page = f"{pinfold.simple()}{project.project}/"
        plain = get(page, ACCEPT)
        mark.take(urlsplit(page).path, plain, get(page, ACCEPT, "gzip", decoded=False))
        wheel = urljoin(page, next(e["url"] for e in json.loads(plain)["files"] if e["filename"] == project.filename))
        for address in (wheel, f"{wheel}.metadata"):
            mark.take(urlsplit(address).path, get(address), None)
    mark.start()
    stack.callback(mark.stop)
    return _nginx(mark.port), lambda: nullcontext((pinfold.simple(), pinfold.pid))


def _cold(folder: Path, port: int, flags: tuple[str, ...]) -> tuple[Way, Way]:
    @contextmanager
    def through() -> Iterator[tuple[str, int]]:
        with tempfile.TemporaryDirectory(dir=folder) as fresh, PinfoldServer(Path(fresh), _config(port), *flags) as new:
            settle(new.pid)
            yield new.simple(), new.pid

    return _nginx(port), through


def _nginx(port: int) -> Way:
    return lambda: nullcontext((f"http://127.0.0.1:{port}/simple/", None))


def _config(port: int) -> str:
    return f"""
[server]
access_log = false
[upstreams.pypi]
url = "http://127.0.0.1:{port}/simple/"
freshness = "1d"
"""


def table(report: list[dict[str, Any]]) -> str:
    """Return a report as Markdown."""
    lines = ["| | without, s | through Pinfold, s | ratio | goal | Pinfold's CPU, s |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(str(figure) for figure in each.values())} |" for each in report]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
