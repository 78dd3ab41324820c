"""Ask a long audit log what people ask: `audit search`, and `audit exposure` for people and for machines.

    python -m tests.bench.audit_questions FOLDER

FOLDER has the log that `python -m tests.bench.audit_log 1000000 --folder FOLDER` left.
"""

import argparse
import asyncio
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from tests.bench.audit_fill import BEGIN

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.domain.target import parse_target
from pinfold.ports.audit_log import AuditQuery
from pinfold.usecases.exposure import Exposure, request_document

TARGETS = (
    "project-9==1.2.3",
    "project-9>=1,<2",
    "project-9",
    "project-2",
    "project-1==3.0.1",
    "project-1>=3",
    "project-1",
)
MOST_TOLD = 100_000
"""Requests up to which each is told as well."""


async def ask(log: SqliteAuditLog) -> None:
    """Print how long questions take, each the first and the second time."""
    exposure = Exposure(log)
    for text in TARGETS:
        target = parse_target(text)
        timings = []
        for _ in range(2):
            begun = time.perf_counter()
            summary = await exposure.summary([target])
            timings.append(time.perf_counter() - begun)
        requests = summary.count(exposed=True) + summary.count(exposed=False)
        told = f"{timings[0]:7.3f} s, then {timings[1]:7.3f} s"
        if requests <= MOST_TOLD:
            begun = time.perf_counter()
            async for request in exposure.requests([target]):
                request_document(request)
            told += f"; every request {time.perf_counter() - begun:7.3f} s"
        print(f"exposure {text:20} {requests:9,} requests  {told}", flush=True)
    newest = (await log.search(AuditQuery(limit=1)))[0].entry.time
    span = newest - BEGIN
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
        "since, open": AuditQuery(since=BEGIN + span * 0.5),
        "a day": AuditQuery(since=BEGIN + span * 0.5, until=BEGIN + span * 0.5 + timedelta(days=1)),
        "until, most of it": AuditQuery(until=BEGIN + span * 0.95),
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
        print(f"search {name:30} {found:4} found  {timings[0]:7.3f} s, then {timings[1]:7.3f} s", flush=True)


async def main() -> None:
    """Open the log, and ask."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    ledger, _ = await open_ledger(folder / "ledger.db", SigningKeys(folder / "keys"))
    await ask(SqliteAuditLog(ledger))
    await ledger.close()


if __name__ == "__main__":
    asyncio.run(main())
