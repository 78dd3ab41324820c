"""How fast are pages and files, side by side with nginx and with the other proxies that install from PyPI?

    make bench          everything, some half an hour
    make bench-quick    nginx's static files and Pinfold, two minutes

All servers run at once, and are measured in turns, one short burst of wrk at a time, so that whatever else the machine
does falls on all of them alike: compare ratios, and only within one run. nginx serves the very bytes that Pinfold
answers with. Each figure is the median of the rounds. Prints a table, and writes everything as JSON.
"""

import argparse
import json
import os
import platform
import re
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.contestants import (
    ACCEPT,
    AGENT,
    Contestant,
    NginxCache,
    NginxStatic,
    Pinfold,
    PinfoldBehindNginx,
    Upstream,
    get,
)
from tests.bench.load import Measured, peak_memory, run_wrk, settle
from tests.bench.peers import PEER_CLASSES, what_is_missing
from tests.bench.wares import PAGES, WHEELS, Ware, write_upstream

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True)
class Cell:
    """One thing to ask for, in one way."""

    name: str
    ware: Ware
    kind: str
    """`page`, `wheel` or `metadata`."""
    gzipped: bool
    connections: int

    @property
    def headers(self) -> dict[str, str]:
        """What a client sends."""
        encoding = "gzip" if self.gzipped else "identity"
        return {"User-Agent": AGENT, "Accept-Encoding": encoding, **({"Accept": ACCEPT} if self.kind == "page" else {})}


def cells(connections: list[int]) -> list[Cell]:
    """Return everything that is measured."""
    names = {ware.project: name for ware, name in zip(PAGES, ("10 files", "300 files", "5,000 files"), strict=True)}
    found = []
    for number in connections:
        for gzipped in (False, True):
            found += [Cell(names[ware.project], ware, "page", gzipped, number) for ware in PAGES]
        found += [Cell(f"{ware.wheel_bytes >> 20} MB wheel", ware, "wheel", False, number) for ware in WHEELS]
        found.append(Cell(".metadata", WHEELS[0], "metadata", False, number))
    return found


def main() -> int:
    """Measure, print, write, and return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="nginx's static files and Pinfold alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, help="of each burst")
    parser.add_argument("--connections", type=int, nargs="+")
    parser.add_argument("--only", help="a regular expression over the names of what is asked for")
    parser.add_argument("--peers", nargs="*", help="the peers to measure, by name; default: all")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--publish", action="store_true", help="write the last run's table into the README, no more")
    options = parser.parse_args()
    if options.publish:
        publish(json.loads(options.json.read_text()))
        return 0
    peers = [] if options.quick else [p for p in PEER_CLASSES if options.peers is None or p.name in options.peers]
    if missing := what_is_missing(peers):
        print("this cannot run yet:", *missing, sep="\n  ", file=sys.stderr)
        return 2
    wanted = [
        cell
        for cell in cells(options.connections or ([16] if options.quick else [16, 64]))
        if not options.only or re.search(options.only, cell.name)
    ]
    seconds = options.seconds or (2 if options.quick else 3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinfold-bench-")))
        contestants = _start(stack, folder, peers, quick=options.quick)
        results = _measure(contestants, wanted, rounds=options.rounds, seconds=seconds)
        memory = {contestant.name: round(peak_memory(*contestant.pids)) for contestant in contestants}
    report = {
        "command": f"make bench{'-quick' if options.quick else ''}{_arguments()}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "rounds": options.rounds,
        "seconds": seconds,
        "peak_memory_mib": memory,
        "cells": [_as_json(cell, results[cell]) for cell in wanted],
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))
    return 0


def _start(stack: ExitStack, folder: Path, peers: list[type[Contestant]], *, quick: bool) -> list[Contestant]:
    """Start everybody; nginx's static files are what Pinfold answers."""
    upstream = Upstream(folder)
    write_upstream(upstream.root, upstream.port)
    static = NginxStatic(folder, upstream.origin)
    pinfold = Pinfold(folder, upstream.origin)
    others = [peer(folder, upstream.origin) for peer in peers]
    _bring_up(stack, upstream)
    _bring_up(stack, pinfold)
    for ware in (*PAGES, *WHEELS):
        page = pinfold.page(ware.project)
        plain = get(page, ACCEPT, "identity")
        static.take(urlsplit(page).path, plain, get(page, ACCEPT, "gzip", decoded=False))
        if ware.wheel_bytes:
            wheel = pinfold.wheel(ware)
            static.take(urlsplit(wheel).path, get(wheel, "*/*", "identity"), None)
            static.take(urlsplit(wheel).path + ".metadata", get(wheel + ".metadata", "*/*", "identity"), None)
    _bring_up(stack, static)
    if not quick:
        front = PinfoldBehindNginx(folder, upstream.origin)
        cache = NginxCache(folder, f"http://127.0.0.1:{static.port}")
        others = [front, cache, *others]
    for other in others:
        _bring_up(stack, other)
    return [static, pinfold, *others]


def _bring_up(stack: ExitStack, contestant: Contestant) -> None:
    contestant.start()
    stack.callback(contestant.stop)


def _measure(
    contestants: list[Contestant], wanted: list[Cell], *, rounds: int, seconds: int
) -> dict[Cell, dict[str, list[Measured]]]:
    results: dict[Cell, dict[str, list[Measured]]] = {cell: {} for cell in wanted}
    addresses = {
        (cell, contestant.name): address
        for cell in wanted
        for contestant in contestants
        if (address := _address(contestant, cell)) is not None
    }
    for number in range(rounds):
        for cell in wanted:
            for contestant in contestants:
                address = addresses.get((cell, contestant.name))
                if address is None:
                    continue
                measured = run_wrk(
                    address, cell.headers, *contestant.pids, connections=cell.connections, seconds=seconds
                )
                results[cell].setdefault(contestant.name, []).append(measured)
                # Some go on with what was asked of them long after nobody waits for it: at the next one's cost.
                settle(*contestant.pids)
                print(
                    f"{number + 1}/{rounds} {_label(cell):34} {contestant.name:26} {measured.rate:10.0f}/s",
                    file=sys.stderr,
                )
    return results


def _address(contestant: Contestant, cell: Cell) -> str | None:
    """Return what to ask a server for; None where it has no such thing. Asking warms its caches, too."""
    if cell.kind == "page":
        address = contestant.page(cell.ware.project)
    else:
        # nginx has no page of its own to tell addresses: they are Pinfold's.
        found = contestant.wheel(cell.ware)
        address = found + ".metadata" if cell.kind == "metadata" else found
    for attempt in range(2):
        try:
            for _ in range(4):
                get(address, cell.headers.get("Accept", "*/*"), cell.headers["Accept-Encoding"])
        except (OSError, EOFError) as error:
            # Some fail the first time that they are asked for something large.
            if attempt:
                print(f"{contestant.name} has no {_label(cell)}: {error}", file=sys.stderr)
        else:
            return address
    return None


def _label(cell: Cell) -> str:
    return f"{cell.name}{', gzip' if cell.gzipped else ''}, {cell.connections} connections"


def _as_json(cell: Cell, results: dict[str, list[Measured]]) -> dict[str, Any]:
    # Of large files, wrk counts only those that end before it does.
    counted = "megabytes" if cell.kind == "wheel" else "rate"
    mark = statistics.median(run.as_dict()[counted] for run in results[NginxStatic.name])
    return {
        "what": cell.name,
        "gzip": cell.gzipped,
        "connections": cell.connections,
        "servers": {
            name: {
                **{
                    figure: round(statistics.median(run.as_dict()[figure] for run in runs), 3)
                    for figure in runs[0].as_dict()
                },
                "ratio": round(statistics.median(run.as_dict()[counted] for run in runs) / mark, 4),
            }
            for name, runs in results.items()
        },
    }


def _arguments() -> str:
    """Return what else this was called with, as `make` takes it."""
    given = re.sub(r"--quick|--json \S+", "", " ".join(sys.argv[1:])).strip()
    return f' ARGS="{given}"' if given else ""


def publish(report: dict[str, Any]) -> None:
    """Write a report's table into the README."""
    text = README.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    README.write_text(f"{before}\n{ratios(report)}\n{after}")


def table(report: dict[str, Any]) -> str:
    """Return a report as Markdown: ratios to nginx's static files, then Pinfold's own figures."""
    return f"{ratios(report)}\n\n{figures(report)}"


def ratios(report: dict[str, Any]) -> str:
    """Return how fast everybody is beside nginx's static files, as Markdown."""
    servers = list(report["peak_memory_mib"])
    lines = [
        f"`{report['command']}`, {report['date'][:10]}, {report['machine']}:",
        f"medians of {report['rounds']} rounds of {report['seconds']} s.",
        "",
        f"| | {' | '.join(servers)} |",
        f"|---|{'---|' * len(servers)}",
    ]
    for cell in report["cells"]:
        ratios = [_ratio(cell["servers"].get(name, {}).get("ratio")) for name in servers]
        lines.append(f"| {_title(cell)} | {' | '.join(ratios)} |")
    memory = " | ".join(str(report["peak_memory_mib"][name]) for name in servers)
    lines.append(f"| peak memory of a process, MiB | {memory} |")
    return "\n".join(lines)


def figures(report: dict[str, Any]) -> str:
    """Return Pinfold's own figures beside nginx's, as Markdown."""
    lines = [
        "| | nginx/s | pinfold/s | p50 ms | p99 ms | CPU µs a request: nginx | pinfold |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in report["cells"]:
        mark, ours = cell["servers"][NginxStatic.name], cell["servers"].get(Pinfold.name)
        if ours is None:
            continue
        lines.append(
            f"| {_title(cell)} | {mark['rate']:,.0f} | {ours['rate']:,.0f} | {ours['p50']:.2f} | {ours['p99']:.2f} | "
            f"{mark['cpu']:,.0f} | {ours['cpu']:,.0f} |"
        )
    return "\n".join(lines)


def _title(cell: dict[str, Any]) -> str:
    return f"{cell['what']}{', gzip' if cell['gzip'] else ''}, {cell['connections']} connections"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


if __name__ == "__main__":
    sys.exit(main())
