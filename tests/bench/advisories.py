"""Measure an advisory feed: loading a whole one, what that takes in memory, and a look-up afterwards.

    python -m tests.bench.advisories [RECORDS ...]        by default 1,000, 50,000 and 200,000

Each size is measured in a process of its own, with records of the shapes and sizes that OSV's export for PyPI has:
mostly malware that names its versions, some vulnerabilities with ranges and vectors. The yardstick beside it is what
reading the same zip with zipfile and decoding its JSON takes by itself, so that runs on different machines compare.
"""

import argparse
import asyncio
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.fakes.alerts import FakeLookBackStore

from pinfold.adapters.osv.local import LocalFeed
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds
from pinfold.adapters.system_clock import SystemClock
from pinfold.domain.evidence import Known
from pinfold.usecases.announce import Announce
from pinfold.usecases.refresh_feed import RefreshFeed

SIZES = (1_000, 50_000, 200_000)
LOOK_UPS = 20_000
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
WORDS = ("package", "install", "payload", "environment", "variables", "exfiltrates", "a remote host", "during setup")


def records(count: int, seed: int = 1) -> Iterator[dict[str, object]]:
    """Yield records: nine in ten are malware, as in OSV's export."""
    chance = random.Random(seed)
    for number in range(count):
        moment = (BEGIN + timedelta(minutes=number)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        common = {
            "schema_version": "1.7.4",
            "modified": moment,
            "published": moment,
            "details": " ".join(chance.choices(WORDS, k=chance.randrange(40, 200))),
            "references": [{"type": "WEB", "url": f"https://reports.example/{number}"}],
        }
        yield common | (_vulnerability(number, chance) if number % 10 == 0 else _malware(number, chance))


def _malware(number: int, chance: random.Random) -> dict[str, object]:
    name = f"project-{number}"
    versions = [f"{chance.randrange(4)}.{chance.randrange(30)}.{each}" for each in range(chance.randrange(1, 8))]
    origin = {"source": "finder", "id": f"finder/2026-{number}", "sha256": f"{number:064x}", "versions": versions}
    return {
        "id": f"MAL-2026-{number + 1}",
        "summary": f"Malicious code in {name} (PyPI)",
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": name, "purl": f"pkg:pypi/{name}"}, "versions": versions}
        ],
        "database_specific": {"malicious-packages-origins": [origin]},
    }


def _vulnerability(number: int, chance: random.Random) -> dict[str, object]:
    vector = "/".join(
        ("CVSS:3.1", f"AV:{chance.choice('NALP')}", "AC:L", f"PR:{chance.choice('NLH')}", f"UI:{chance.choice('NR')}")
    )
    events = [{"introduced": "0"}, {"fixed": f"{chance.randrange(1, 9)}.0"}]
    return {
        "id": f"GHSA-{number:04d}-bench",
        "summary": "A request can be smuggled",
        "aliases": [f"CVE-2026-{number}"],
        "severity": [{"type": "CVSS_V3", "score": f"{vector}/S:U/C:{chance.choice('HLN')}/I:H/A:N"}],
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": f"library-{chance.randrange(3000)}"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
                "versions": [f"{chance.randrange(9)}.{minor}" for minor in range(chance.randrange(5, 80))],
            }
        ],
    }


def write_zip(path: Path, count: int) -> None:
    """Write a feed as OSV exports it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for record in records(count):
            archive.writestr(f"{record['id']}.json", json.dumps(record))


def peak_memory() -> float:
    """Return the largest resident size that this process has had, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


async def measure(path: Path, folder: Path) -> None:
    """Load a zip, look projects up, and print what that took."""
    telemetry = PrometheusTelemetry()
    file = await Database.open(folder / "feeds.db", feeds, durable=False)
    store, feed = SqliteAdvisoryStore(file, ["osv"]), LocalFeed("osv", path)
    idle, began = peak_memory(), time.perf_counter()
    refresh = RefreshFeed(store, Announce(FakeLookBackStore(), SystemClock()), SystemClock(), telemetry)
    loading = asyncio.create_task(refresh.refresh(feed, lambda *_: None))
    lags = []
    while not loading.done():
        asleep = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - asleep - 0.005)
    snapshot = (await loading).snapshot
    seconds, peak = time.perf_counter() - began, peak_memory()
    known = sum([isinstance(await store.about(f"project-{number}"), Known) for number in range(LOOK_UPS)])
    began = time.perf_counter()
    for number in range(LOOK_UPS):
        await store.about(f"project-{number}")
    kept = (time.perf_counter() - began) / LOOK_UPS
    assert known == LOOK_UPS
    lag = statistics.quantiles(lags, n=100)[98]
    print(
        f"{snapshot.records:8} records, {path.stat().st_size / 1e6:4.0f} MB: {seconds:5.1f} s, "
        f"{seconds / snapshot.records * 1e6:4.0f} us each; peak memory {peak:.0f} MiB ({idle:.0f} before); "
        f"loop lag {lag * 1000:.0f} ms at the 99th percentile; a look-up {kept * 1e6:.1f} us",
        flush=True,
    )
    await file.close()


def yardstick(path: Path) -> None:
    """Print what zipfile and json take for the same zip, by themselves."""
    began = time.perf_counter()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            json.loads(archive.read(member))
    print(f"{'':8} zipfile and json alone: {time.perf_counter() - began:.1f} s, {peak_memory():.0f} MiB", flush=True)


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("records", nargs="*", type=int, default=SIZES)
    parser.add_argument("--zip", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--yardstick", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.zip and options.yardstick:
            yardstick(options.zip)
        elif options.zip:
            asyncio.run(measure(options.zip, Path(name)))
        else:
            path = Path(name, "all.zip")
            for count, flags in itertools.product(options.records, ([], ["--yardstick"])):
                if not flags:
                    write_zip(path, count)
                command = [sys.executable, "-m", "tests.bench.advisories", "--zip", str(path), *flags]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
