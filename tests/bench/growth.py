"""How does the cost of a request, and of memory, grow with what a server has to do?

    make bench-growth          or, smaller:   make bench-growth ARGS="--most-projects 10000 --most-entries 100000"

Each curve has a Pinfold of its own, with one worker, in front of an upstream that makes up projects. `cold` is the
first request for a page: fetched, parsed, judged and rendered; `warm` is any later one, for a page that is chosen at
random; `download` is that of a small wheel, with its entry in the audit log.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.advisories import write_zip
from tests.bench.audit_fill import fill
from tests.bench.catalog_fill import note
from tests.bench.loaded import Loaded, any_of, made_up_index, page, pages, pinfold
from tests.bench.made_up_index import wheel_path

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.signing_keys import SigningKeys

PROJECTS = (100, 1_000, 10_000, 100_000)
FILES = (10, 100, 1_000, 10_000)
RULES = (1, 20, 200)
ASKED_FOR = 10_000
"""Of so many projects more, at most, each is asked for; the catalog is told of the others, which takes a tenth."""
CONNECTIONS = (16, 64, 256, 1_000, 2_000)
ENTRIES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
ADVISORIES = (1_000, 20_000, 200_000)
WHEELS = 100
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
    download_us: float | None
    """CPU of a download, in microseconds."""
    memory: float
    """Of the serving process, in MiB: what is its own, and its share of what it has in common with others."""

    def __str__(self) -> str:
        cold = "" if self.cold_ms is None else f"{self.cold_ms:.1f}"
        download = "" if self.download_us is None else f"{self.download_us:.0f}"
        figures = f"{cold} | {self.warm_us:.0f} | {self.rate:,.0f} | {download} | {self.memory:.0f}"
        return f"| {self.curve} | {self.at:,} | {figures} |"


def over_projects(upstream: str, most: int) -> Iterator[Point]:
    """More and more projects of ten files; all that are known before are asked for again."""
    with pinfold(upstream) as loaded:
        known = 0
        for count in (count for count in PROJECTS if count <= most):
            asked = min(known + ASKED_FOR, count)
            cold = loaded.cold([page("f10", number) for number in range(known, asked)])
            note(DataDirectory.open(loaded.data).catalog, [f"f10-{number}" for number in range(asked, count)], 10)
            known = count
            yield _point(loaded, "projects", count, cold, pages("f10", count))


def over_files(upstream: str) -> Iterator[Point]:
    """Longer and longer pages, five of each length."""
    for files in FILES:
        with pinfold(upstream) as loaded:
            cold = loaded.cold([page(f"f{files}", number) for number in range(5)])
            yield _point(loaded, "files of a project", files, cold, pages(f"f{files}", 5))


def over_rules(upstream: str) -> Iterator[Point]:
    """Longer and longer policies, for pages of 300 files: half of the rules are about other projects."""
    for rules in RULES:
        teams = [f"team-{number}-*" if number % 2 else "*" for number in range(rules)]
        policy = "".join(
            f'[[rule]]\nid = "minimum-age"\nmatch = {{ projects = ["{team}"] }}\nparams = {{ hours = {number + 1} }}\n'
            for number, team in enumerate(teams)
        )
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as document:
            document.write(policy)
            document.flush()
            with pinfold(upstream, f'[indexes.main]\npolicy = "{document.name}"\n') as loaded:
                cold = loaded.cold([page("f300", number) for number in range(20)])
                yield _point(loaded, "rules", rules, cold, pages("f300", 20))


def over_entries(upstream: str, most: int) -> Iterator[Point]:
    """Longer and longer audit logs, which each download adds to."""
    with tempfile.TemporaryDirectory() as name:
        folder, written = Path(name, "pinfold"), 0
        # Its policy is entered before anything was served, so that nothing is looked back at while it is measured.
        with pinfold(upstream, folder=folder):
            pass
        for count in (count for count in ENTRIES if count <= most):
            _fill_log(folder / "data", written, count)
            written = count
            with pinfold(upstream, folder=folder) as loaded:
                # The catalog knows what was asked for at the point before.
                fresh = [page("f10", count + number) for number in range(200)]
                cold = loaded.cold(fresh)
                point = _point(loaded, "audit entries", count, cold, any_of(fresh), _download(loaded))
            yield point


def over_advisories(upstream: str) -> Iterator[Point]:
    """Larger and larger feeds, of which most projects that are asked for have an advisory."""
    for count in ADVISORIES:
        with tempfile.TemporaryDirectory() as folder:
            write_zip(feed := Path(folder, "all.zip"), count)
            config = f'[feeds.osv]\nsource = "{feed}"\ninterval = "1d"\n'
            with pinfold(upstream, config, first=["feed", "sync"]) as loaded:
                cold = loaded.cold([page("project", number) for number in range(500)])
                yield _point(loaded, "advisories", count, cold, pages("project", 500))


def over_connections(upstream: str) -> Iterator[Point]:
    """More and more connections that ask at once, for a thousand projects."""
    with pinfold(upstream) as loaded:
        loaded.cold([page("f10", number) for number in range(1000)])
        for connections in CONNECTIONS:
            # All who come at once are answered at about the same time, after as long as all of them take.
            seconds = max(4, connections / 200)
            warm = loaded.warm(pages("f10", 1000), connections=connections, seconds=seconds)
            yield Point("connections", connections, None, *warm, None, loaded.memory())


def over_requests(upstream: str) -> Iterator[Point]:
    """A million requests for a thousand projects: does memory stay where it was?"""
    with pinfold(upstream) as loaded:
        loaded.cold([page("f10", number) for number in range(1000)])
        asked, due = 0.0, 0.0
        while due < REQUESTS:
            warm, rate = loaded.warm(pages("f10", 1000), connections=64, seconds=5)
            asked += rate * 5
            if asked >= due:
                due = asked + REQUESTS / PORTIONS
                yield Point("requests", int(asked), None, warm, rate, None, loaded.memory())


def _point(
    loaded: Loaded, curve: str, at: int, cold: float | None, choice: str, download: float | None = None
) -> Point:
    return Point(curve, at, cold, *loaded.warm(choice), download, loaded.memory())


def _download(loaded: Loaded) -> float:
    wheels = [wheel_path(number) for number in range(WHEELS)]
    loaded.cold([*(page("wheel", number) for number in range(WHEELS)), *wheels])
    cpu, _ = loaded.warm(any_of(wheels))
    return cpu


def _fill_log(data: Path, written: int, count: int) -> None:
    directory = DataDirectory.open(data)
    fill(directory.ledger, SigningKeys(directory.keys), written, count - written)


def main() -> None:
    """Measure every curve, print it, and write all of them as JSON."""
    curves: dict[str, Callable[[str], Iterator[Point]]] = {
        "projects": lambda upstream: over_projects(upstream, chosen.most_projects),
        "files": over_files,
        "rules": over_rules,
        "entries": lambda upstream: over_entries(upstream, chosen.most_entries),
        "advisories": over_advisories,
        "connections": over_connections,
        "requests": over_requests,
    }
    parser = argparse.ArgumentParser()
    parser.add_argument("--most-projects", type=int, default=PROJECTS[-1])
    parser.add_argument(
        "--most-entries", type=int, default=1_000_000, help="ten million take half an hour and some 3 GB"
    )
    parser.add_argument("--only", choices=curves)
    parser.add_argument("--output", type=Path, help="where to write the points as JSON")
    chosen = parser.parse_args()
    points = []
    started = time.monotonic()
    with made_up_index() as upstream:
        print("| curve | at | cold, ms of CPU | warm, µs of CPU | requests/s | download, µs of CPU | memory, MiB |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name, curve in curves.items():
            for point in curve(upstream) if chosen.only in (None, name) else ():
                points.append(point)
                print(point, flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")
    if chosen.output:
        chosen.output.write_text(json.dumps([asdict(point) for point in points], indent=1))


if __name__ == "__main__":
    main()
