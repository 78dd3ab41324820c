"""Load with wrk, and what it costs the server: CPU and memory of a whole process tree, from /proc."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

SETTLED_WITHIN = 10.0
_TICK = os.sysconf("SC_CLK_TCK")
# Latencies are in microseconds, errors by kind.
_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %.0f %.0f\\n", summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Measured:
    """One run of wrk against one server."""

    rate: float
    """Answers a second."""
    p50: float
    """Milliseconds."""
    p99: float
    megabytes: float
    """A second, headers included."""
    cpu: float
    """Microseconds of the server's processes a request."""
    errors: int

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def run_wrk(url: str, headers: Mapping[str, str], *pids: int, connections: int, seconds: int) -> Measured:
    """Ask for one URL over and over for a while, of the server whose processes descend from some."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_REPORT)
        script.flush()
        flags = [flag for name, value in headers.items() for flag in ("-H", f"{name}: {value}")]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script.name]
        before = cpu_seconds(*pids)
        done = subprocess.run([*command, *flags, url], capture_output=True, text=True, check=True)
        spent = cpu_seconds(*pids) - before
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if found is None:
        raise SystemExit(f"wrk says nothing of {url}:\n{done.stdout}\n{done.stderr}")
    requests, microseconds, size, errors, p50, p99 = (int(number) for number in found.groups())
    return Measured(
        rate=requests * 1e6 / microseconds,
        p50=p50 / 1000,
        p99=p99 / 1000,
        megabytes=size / microseconds,
        cpu=spent * 1e6 / requests if requests else 0.0,
        errors=errors,
    )


def cpu_seconds(*pids: int) -> float:
    """Return the CPU time that processes and their descendants have used, user and system."""
    return sum(_ticks(each) for pid in pids for each in process_tree(pid)) / _TICK


def settle(*pids: int) -> None:
    """Wait until a server does nothing any more that it was started, or asked, for; but not for ever."""
    before, until = -1.0, time.monotonic() + SETTLED_WITHIN
    while (now := cpu_seconds(*pids)) - before > 0.02 and time.monotonic() < until:
        before = now
        time.sleep(0.3)


def peak_memory(*pids: int) -> float:
    """Return the largest resident size that any process or descendant has had, in MiB."""
    return max((_peak(each) for pid in pids for each in process_tree(pid)), default=0.0)


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(task).split():
            yield from process_tree(int(child))


def _ticks(pid: int) -> int:
    # The fields behind the command's name, which may hold spaces: the 14th and the 15th of all.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def _peak(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+)", _read(Path(f"/proc/{pid}/status")))
    return int(found[1]) / 1024 if found else 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
