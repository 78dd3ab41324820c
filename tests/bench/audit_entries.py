"""An audit log of any length, as a busy year would leave it, written fast and straight into a ledger.

    python -m tests.bench.audit_entries FOLDER --entries 1000000

Then `audit search` and `audit exposure` are measured on it. The rows go around the port, in large transactions: what is
measured here is reading.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog, append_entry
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.target import parse_target
from pinfold.ports.audit_log import AuditQuery
from pinfold.usecases.exposure import Exposure

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
RULES = "quarantined minimum-age known-malware known-vulnerability provenance hash-changed vanished contents file-type"
GROUP = 20_000


def entries(count: int, seed: int = 1) -> Iterator[Entry]:
    """Yield entries in order of time: a few projects are asked for often, most of them seldom."""
    chance = random.Random(seed)
    verdicts = tuple({"rule": rule, "outcome": "pass", "effect": "allow"} for rule in RULES.split())
    for number in range(count):
        project = f"project-{int(chance.paretovariate(0.7)) % 20_000}"
        version = f"{chance.randrange(4)}.{chance.randrange(10)}.{chance.randrange(5)}"
        client = chance.randrange(500)
        refused = chance.random() < 0.01
        filename = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
        yield Entry(
            action=Action.FILE_REFUSED if refused else Action.FILE_SERVED,
            time=BEGIN + YEAR * number / count,
            actor=Actor(f"ci-{client % 50}", f"192.0.2.{client % 250}", "pip", "26.3", "3.12.4", True, "pip/26.3"),
            index="main" if chance.random() < 0.98 else "strict",
            project=project,
            version=version,
            filename=filename,
            sha256=sha256(filename.encode()).hexdigest(),
            decision="quarantine" if refused else "allow",
            rule="minimum-age" if refused else None,
            verdicts=verdicts,
            policy_digest="b" * 64,
            evidence_digest=sha256(f"{filename}{number // 1000}".encode()).hexdigest(),
            reference=f"D-{number:07d}" if refused else None,
            details={"upstream": "pypi"},
        )


async def write(ledger: Database, count: int) -> None:
    """Append entries in large transactions."""
    stream = entries(count)
    for first in range(0, count, GROUP):
        group = [next(stream) for _ in range(min(GROUP, count - first))]
        await ledger.write(lambda database, group=group: [append_entry(database, entry) for entry in group])


async def measure(ledger: Database) -> None:
    """Print how long questions take, each the first and the second time."""
    log = SqliteAuditLog(ledger)
    exposure = Exposure(log)
    for text in ("project-9==1.2.3", "project-9>=1,<2", "project-9", "project-1==3.0.1", "project-1"):
        target = parse_target(text)
        for _ in range(2):
            begun = time.perf_counter()
            requests = 0
            async for _request in exposure.requests([target]):
                requests += 1
            print(f"exposure {text:20} {requests:9,} requests  {time.perf_counter() - begun:7.3f} s")
    queries: dict[str, AuditQuery] = {
        "newest": AuditQuery(),
        "project, common": AuditQuery(project="project-1"),
        "project, rare": AuditQuery(project="project-17771"),
        "project and version": AuditQuery(project="project-1", version="3.0.1"),
        "version": AuditQuery(version="3.0.1"),
        "filename": AuditQuery(filename="project_9-1.2.3-py3-none-any.whl"),
        "sha256": AuditQuery(sha256=sha256(b"project_9-1.2.3-py3-none-any.whl").hexdigest()),
        "actor": AuditQuery(actor="ci-7"),
        "address": AuditQuery(address="192.0.2.7"),
        "index": AuditQuery(index="strict"),
        "index, absent": AuditQuery(index="absent"),
        "decision": AuditQuery(decision="quarantine"),
        "rule": AuditQuery(rule="minimum-age"),
        "reference": AuditQuery(reference="D-0000100"),
        "since, open": AuditQuery(since=BEGIN + YEAR * 0.5),
        "a day": AuditQuery(since=BEGIN + YEAR * 0.5, until=BEGIN + YEAR * 0.5 + timedelta(days=1)),
        "until, a year of it": AuditQuery(until=BEGIN + YEAR * 0.95),
        "project, actor and decision": AuditQuery(project="project-1", actor="ci-7", decision="quarantine"),
        "two common, never together": AuditQuery(rule="minimum-age", decision="allow"),
        "project in a week": AuditQuery(project="project-1", since=BEGIN, until=BEGIN + timedelta(days=7)),
        "oldest first after": AuditQuery(project="project-1", after_seq=10_000, newest_first=False),
    }
    for name, query in queries.items():
        timings = []
        for _ in range(2):
            begun = time.perf_counter()
            found = len(await log.search(query))
            timings.append(time.perf_counter() - begun)
        print(f"search {name:30} {found:4} found  {timings[0]:7.3f} s, then {timings[1]:7.3f} s")


async def main() -> None:
    """Write the log where there is none, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--entries", type=int, default=1_000_000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "ledger.db"
    fresh = not path.exists()
    ledger = await Database.open(path, schema.ledger, durable=False)
    if fresh:
        begun = time.perf_counter()
        await write(ledger, options.entries)
        print(f"{options.entries:,} entries in {time.perf_counter() - begun:.0f} s, {path.stat().st_size >> 20} MiB")
    await measure(ledger)
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(main())
