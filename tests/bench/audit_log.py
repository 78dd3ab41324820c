"""Measure the audit log: appends, storage per entry, and whether either changes as the log grows.

    python tests/bench/audit_log.py [ENTRIES] [--folder FOLDER] [--tree-only]

The log is filled on a fast path, which writes rows and tiles as appending does, with nothing durable in between; real
appends are measured at each size on the way. Ten million entries take an hour and some 20 GB; with --tree-only they are
bare bodies in one column, which takes minutes and some 2 GB, and shows the tree's part.
"""

import argparse
import asyncio
import hashlib
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlite_utils

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_export import export_jsonl
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog, append_entry
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.adapters.sqlite.audit_tree import AuditTree, open_ledger
from pinfold.adapters.sqlite.audit_verify import verify_store
from pinfold.audit.note import Verifier
from pinfold.domain.audit_entry import Action, Actor, Entry

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
PORTION = 50_000
MEASURED = (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
RULES = (
    *("quarantined", "private-name", "hash-changed", "known-malware", "vanished", "upstream-status", "provenance"),
    *("provenance-downgrade", "contents", "minimum-age", "known-vulnerability"),
)
SINGLE, TASKS, EACH = 200, 64, 30


def entry(number: int) -> Entry:
    """Return an entry as a served file makes one; projects and clients recur as they do in real life."""
    project = f"project-{number * 7919 % 5000}"
    version = f"{number % 9}.{number % 31}"
    sha256 = hashlib.sha256(f"{project}{version}".encode()).hexdigest()
    return Entry(
        Action.FILE_SERVED,
        NOON + timedelta(seconds=number),
        Actor(
            f"token-{number % 40}", f"192.0.2.{number % 250}", "pip", "26.3", "3.12.4", ci=True, user_agent="pip/26.3"
        ),
        index="main",
        project=project,
        version=version,
        filename=f"{project}-{version}-py3-none-any.whl",
        sha256=sha256,
        decision="allow",
        verdicts=tuple({"rule": rule, "outcome": "pass", "effect": "allow"} for rule in RULES),
        policy_digest="b" * 64,
        evidence_digest=hashlib.sha256(sha256.encode()).hexdigest(),
        reference=f"D-{number:08d}",
    )


def fill(path: Path, keys: SigningKeys, numbers: range, *, bare: bool) -> None:
    """Append entries in a large transaction that is not synced."""
    connection = sqlite3.connect(path, isolation_level=None)
    with sqlite_utils.Database(connection) as database:
        for pragma in ("synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}")
        tree = AuditTree(keys)
        database.execute("BEGIN IMMEDIATE")
        tree.begin(database)
        if bare:
            database.conn.executemany(
                "INSERT INTO audit (seq, time, action, actor, body) VALUES (?, '', '', '', ?)",
                ((number + 1, b"%d" % number) for number in numbers),
            )
        else:
            for number in numbers:
                append_entry(database, entry(number))
        tree.end(database)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


async def measure(path: Path, keys: SigningKeys) -> tuple[float, float, float]:
    """Return the median milliseconds of an append on its own, those in the tree, and the appends a second of tasks."""
    ledger, tree = await open_ledger(path, keys)
    log = SqliteAuditLog(ledger)
    alone, in_tree, end = [], [], tree.end

    def timed(database: sqlite_utils.Database) -> None:
        begun = time.perf_counter()
        end(database)
        in_tree.append(time.perf_counter() - begun)

    tree.end = timed  # type: ignore[method-assign]
    for number in range(SINGLE):
        begun = time.perf_counter()
        await log.append(entry(number))
        alone.append(time.perf_counter() - begun)
    tree.end = end  # type: ignore[method-assign]

    async def task() -> None:
        for number in range(EACH):
            await log.append(entry(number))

    begun = time.perf_counter()
    await asyncio.gather(*(task() for _ in range(TASKS)))
    rate = TASKS * EACH / (time.perf_counter() - begun)
    await ledger.close()
    return statistics.median(alone) * 1000, statistics.median(in_tree) * 1000, rate


def tables(path: Path) -> Iterator[tuple[str, int]]:
    """Yield tables and their bytes, without indexes, as far as this SQLite can tell."""
    connection = sqlite3.connect(path)
    yield from connection.execute(
        "SELECT 'tiles', total(length(hashes)) FROM audit_tile UNION ALL "
        "SELECT 'checkpoints', total(length(note)) FROM audit_checkpoint UNION ALL "
        "SELECT 'entries', total(length(body)) FROM audit"
    )
    connection.close()


def main() -> None:
    """Fill a log step by step, and print what is measured on the way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--folder")
    parser.add_argument("--tree-only", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path, keys = Path(folder) / "ledger.db", SigningKeys(Path(folder) / "keys")
        asyncio.run(measure(path, keys))
        size = SINGLE + TASKS * EACH
        print("entries      ms/append  of it in the tree  appends/s with 64 tasks  bytes/entry in the file", flush=True)
        for target in [target for target in MEASURED if target <= chosen.entries]:
            while size < target:
                upto = min(size + PORTION, target)
                fill(path, keys, range(size, upto), bare=chosen.tree_only)
                size = upto
            alone, in_tree, rate = asyncio.run(measure(path, keys))
            size += SINGLE + TASKS * EACH
            print(
                f"{size:<12} {alone:<10.2f} {in_tree:<18.2f} {rate:<24.0f} {path.stat().st_size / size:.0f}", flush=True
            )
        with LogReader.open(path) as reader:
            begun, state = time.perf_counter(), reader.state()
            exported = sum(map(len, export_jsonl(reader, state, 1)))
            seconds = time.perf_counter() - begun
            print(f"export: {size / seconds:.0f} entries/s, {exported / size:.0f} bytes an entry")
            if not chosen.tree_only:
                begun = time.perf_counter()
                answer = verify_store(reader, [Verifier.parse(state.present_key)])
                seconds = time.perf_counter() - begun
                print(f"verify: {size / seconds:.0f} entries/s, {'whole' if answer.ok else answer.problems[0].text}")
        print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB of memory")
        for name, amount in tables(path):
            print(f"{name}: {amount / size:.1f} bytes of content an entry")


if __name__ == "__main__":
    main()
