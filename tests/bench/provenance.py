"""Measure provenance: what a verification costs, and how late a running server's event loop is meanwhile.

    python -m tests.bench.provenance [--projects N] [--releases N]

A fake upstream on loopback serves projects with a PEP 740 attestation for each file, by a sigstore of its own; clients
ask a Pinfold of its own for all pages and files, a few at a time. The lag is measured inside the server: how much later
than asked its event loop wakes from a sleep of two milliseconds. The yardstick beside it is the same load on projects
without attestations.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from tests.e2e.server import PinfoldServer
from tests.fakes.sigstore import GitHubIdentity, LocalSigstore
from tests.fakes.upstream import FakeUpstream, running_upstream

from pinfold.adapters.sigstore.verifier import SigstoreVerifier
from pinfold.adapters.system_clock import SystemClock
from pinfold.bootstrap import Installation
from pinfold.domain.evidence import Known
from pinfold.domain.provenance import Verified

LAGS = "BENCH_LAGS"
SLEEP = 0.002
CLIENTS = 8
POLICY = """
[[rule]]
id = "provenance-downgrade"
[[rule]]
id = "minimum-age"
params = { days = 3 }
"""
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


class WatchedServer(PinfoldServer):
    """A server that notes how late its event loop is."""

    def command(self, *words: str) -> list[str]:
        command = super().command(*words)
        variables = [f"{LAGS}={self.lags}", f"PYTHONPATH={Path(__file__).parents[2]}"]
        return ["env", *variables, *command[:2], "tests.bench.provenance", *command[3:]]

    @property
    def lags(self) -> Path:
        return self.folder / "lags"

    def lags_since(self, moment: float) -> list[float]:
        """Return the lags that were noted since a moment, in seconds."""
        time.sleep(0.5)
        noted = (json.loads(line) for line in self.lags.read_text().splitlines())
        return [lag for each in noted if each["from"] >= moment for lag in each["lags"]]


def serve_watched() -> None:
    """Run the command line, with an eye on the event loop of whichever process serves."""
    from pinfold.cli import main as pinfold

    warm_up = Installation.warm_up

    async def watched(self: Installation) -> None:
        watching = asyncio.create_task(watch(Path(os.environ[LAGS])))
        await warm_up(self)
        await watching

    Installation.warm_up = watched  # type: ignore[method-assign]
    pinfold()


async def watch(path: Path) -> None:
    """Note how late the loop wakes, a line every quarter of a second, for ever."""
    while True:
        began, lags = time.time(), []
        while time.time() - began < 0.25:
            asleep = time.perf_counter()
            await asyncio.sleep(SLEEP)
            lags.append(max(0.0, time.perf_counter() - asleep - SLEEP))
        with path.open("a") as file:
            file.write(json.dumps({"from": began, "lags": [round(lag, 5) for lag in lags]}) + "\n")


def upload(
    upstream: FakeUpstream, sigstore: LocalSigstore, projects: int, releases: int, *, attested: bool
) -> list[str]:
    """Fill an upstream, and return the names of the projects."""
    names = [f"{'attested' if attested else 'bare'}-{number}" for number in range(projects)]
    for name in names:
        identity = GitHubIdentity(f"example/{name}")
        for number in range(releases):
            uploaded = datetime.now(UTC) - timedelta(days=100 - number)
            file = upstream.add_file(name, f"1.{number}", upload_time=uploaded)
            if attested:
                attestation = sigstore.attest(file.filename, file.sha256, identity, at=uploaded - timedelta(minutes=1))
                file.provenance = json.dumps(sigstore.provenance([attestation], identity.publisher())).encode()
    return names


async def ask_all(server: str, names: list[str]) -> int:
    """Ask for every page and every file, a few at a time; return the number of requests."""
    count, slots = 0, asyncio.Semaphore(CLIENTS)

    async with aiohttp.ClientSession() as session:

        async def get(url: str) -> bytes:
            nonlocal count
            async with slots, session.get(url, headers=JSON) as answer:
                if answer.status != 200:
                    raise SystemExit(f"{url}: {answer.status} {answer.reason}")
                count += 1
                return await answer.read()

        async def ask(name: str) -> None:
            page = json.loads(await get(f"{server}/simple/{name}/"))
            files = [f"{server}/files/{name}/{file['hashes']['sha256']}/{file['filename']}" for file in page["files"]]
            await asyncio.gather(*map(get, files))

        await asyncio.gather(*map(ask, names))
    return count


async def verify_alone(sigstore: LocalSigstore, count: int = 200) -> None:
    """Print what one verification takes, with nothing else to do."""
    identity, documents = GitHubIdentity(), []
    for number in range(count):
        name, digest = f"widget-1.{number}-py3-none-any.whl", hashlib.sha256(b"%d" % number).hexdigest()
        attestation = sigstore.attest(name, digest, identity, at=datetime.now(UTC) - timedelta(days=5))
        documents.append((json.dumps(sigstore.provenance([attestation], identity.publisher())).encode(), name, digest))
    verifier, times = SigstoreVerifier(sigstore.trusted_root_path, SystemClock()), []
    await verifier.load()
    used = time.process_time()
    for document in documents:
        began = time.perf_counter()
        result = await verifier.verify(*document)
        times.append(time.perf_counter() - began)
        if not (isinstance(result, Known) and isinstance(result.value, Verified)):
            raise SystemExit(f"not verified: {result}")
    used = (time.process_time() - used) / count
    verifier.close()
    print(
        f"a verification takes {used * 1000:.1f} ms of a processor; "
        f"{_percentile(times, 50) * 1000:.1f} ms at the median, "
        f"{_percentile(times, 99) * 1000:.1f} at the 99th percentile",
        flush=True,
    )


def _percentile(values: list[float], rank: int) -> float:
    return statistics.quantiles(values, n=100)[rank - 1]


def main() -> None:
    """Measure and print."""
    if LAGS in os.environ:
        serve_watched()
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--projects", type=int, default=30)
    parser.add_argument("--releases", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_upstream() as upstream:
        folder = Path(name)
        sigstore = LocalSigstore(folder)
        asyncio.run(verify_alone(sigstore))
        (folder / "policy.toml").write_text(POLICY)
        config = (
            f'[server]\naccess_log = false\n[upstreams.pypi]\nurl = "{upstream.url}"\n'
            f'[sigstore]\ntrusted_root = "{sigstore.trusted_root_path}"\n'
            f'[indexes.main]\npolicy = "{folder}/policy.toml"\n'
        )
        with WatchedServer(folder / "pinfold", config) as server:
            time.sleep(3)  # sigstore loads behind the first requests, once in a process's life
            for attested in (False, True):
                names = upload(upstream, sigstore, options.projects, options.releases, attested=attested)
                moment, began = time.time(), time.perf_counter()
                count = asyncio.run(ask_all(server.url, names))
                seconds, lags = time.perf_counter() - began, server.lags_since(moment)
                print(
                    f"{'attested' if attested else 'bare':8} {count} requests in {seconds:.1f} s, "
                    f"{count / seconds:.0f} a second; the loop is late by {_percentile(lags, 50) * 1000:.1f} ms at the "
                    f"median, {_percentile(lags, 99) * 1000:.1f} at the 99th percentile, "
                    f"{max(lags) * 1000:.0f} at worst",
                    flush=True,
                )
            metrics = subprocess.run(
                ["curl", "-s", f"{server.url}/metrics"], capture_output=True, text=True, check=True
            )
            print(*(line for line in metrics.stdout.splitlines() if "verifications_total" in line), sep="\n")


if __name__ == "__main__":
    main()
