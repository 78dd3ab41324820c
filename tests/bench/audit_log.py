"""Measure the audit log: appends, storage, questions, exposure, and whether any of it changes as the log grows.

    python -m tests.bench.audit_log [SIZE]... [--folder FOLDER]

The log is filled on a fast path (`tests/bench/audit_fill.py`), with the rows, tiles and indexes that appending leaves;
real appends, with their fsync, are measured at each size on the way. A million entries take some minutes.
"""

import argparse
import asyncio
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import sqlite_utils
from tests.bench.audit_fill import asked, entry, fill
from tests.bench.audit_questions import ask

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_export import export_jsonl
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.adapters.sqlite.audit_tree import AuditTree
from pinfold.adapters.sqlite.audit_verify import verify_store
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.note import Verifier

SIZES = (10_000, 100_000, 1_000_000)
SINGLE, TASKS, EACH = 200, 64, 30
APPENDED = SINGLE + TASKS * EACH


@asynccontextmanager
async def opened(path: Path, keys: SigningKeys) -> AsyncIterator[tuple[Database, AuditTree]]:
    """Open a ledger and close it again."""
    ledger, tree = await open_ledger(path, keys)
    try:
        yield ledger, tree
    finally:
        await ledger.close()


async def measure_appends(path: Path, keys: SigningKeys, first: int) -> tuple[float, float, float]:
    """Return the median milliseconds of a change, those of it in the tree, and the appends a second of tasks."""
    async with opened(path, keys) as (ledger, tree):
        log, requests = SqliteAuditLog(ledger), asked(first, APPENDED)
        alone, in_tree, end = [], [], tree.end

        def timed(database: sqlite_utils.Database) -> None:
            begun = time.perf_counter()
            end(database)
            in_tree.append(time.perf_counter() - begun)

        tree.end = timed  # type: ignore[method-assign]
        for _ in range(SINGLE):
            one = next(requests)
            said = partial(append_entry, entry=entry(one), evidence=one.evidence)
            begun = time.perf_counter()
            await ledger.write(said)
            alone.append(time.perf_counter() - begun)
        tree.end = end  # type: ignore[method-assign]
        entries = [[(entry(one), one.evidence) for one in islice(requests, EACH)] for _ in range(TASKS)]

        async def task(number: int) -> None:
            for one, evidence in entries[number]:
                await log.append(one, evidence)

        begun = time.perf_counter()
        await asyncio.gather(*map(task, range(TASKS)))
        rate = TASKS * EACH / (time.perf_counter() - begun)
    return statistics.median(alone) * 1000, statistics.median(in_tree) * 1000, rate


def storage(path: Path, size: int) -> Iterator[str]:
    """Yield what an entry takes of the file, by table and index."""
    connection = sqlite3.connect(path)
    sql = "SELECT name, sum(pgsize) AS bytes FROM dbstat WHERE aggregate = TRUE GROUP BY name ORDER BY bytes DESC"
    for name, amount in connection.execute(sql):
        if amount / size >= 1:
            yield f"  {name}: {amount / size:.0f} bytes an entry"
    connection.close()


def measure_proofs(path: Path, size: int) -> None:
    """Print how fast the log is exported and verified."""
    with LogReader.open(path) as reader:
        begun, state = time.perf_counter(), reader.state()
        exported = sum(map(len, export_jsonl(reader, state, 1)))
        seconds = time.perf_counter() - begun
        print(f"export: {size / seconds:,.0f} entries/s, {exported / size:.0f} bytes an entry", flush=True)
        begun = time.perf_counter()
        answer = verify_store(reader, [Verifier.parse(state.present_key)])
        seconds = time.perf_counter() - begun
        print(
            f"verify: {size / seconds:,.0f} entries/s, {'whole' if answer.ok else answer.problems[0].text}", flush=True
        )


async def ask_everything(path: Path, keys: SigningKeys) -> None:
    """Print how long questions take."""
    async with opened(path, keys) as (ledger, _):
        await ask(SqliteAuditLog(ledger))


def run(folder: Path, sizes: list[int]) -> None:
    """Fill a log step by step, and print what is measured on the way."""
    path, keys = folder / "ledger.db", SigningKeys(folder / "keys")
    asyncio.run(measure_appends(path, keys, 0))
    size = APPENDED
    for target in sizes:
        begun = time.perf_counter()
        fill(path, keys, size, target - size)
        print(f"\n{target:,} entries, filled in {time.perf_counter() - begun:.0f} s", flush=True)
        print(f"{path.stat().st_size / target:.0f} bytes an entry", flush=True)
        print("\n".join(storage(path, target)), flush=True)
        alone, in_tree, rate = asyncio.run(measure_appends(path, keys, target))
        size = target + APPENDED
        print(
            f"{alone:.2f} ms a change, {in_tree:.2f} ms of it in the tree; {rate:.0f}/s with {TASKS} tasks",
            flush=True,
        )
        asyncio.run(ask_everything(path, keys))
    measure_proofs(path, size)
    print(f"at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB of memory")


def main() -> None:
    """Measure, in a temporary folder unless one is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--folder", type=Path, help="an empty folder, which is kept")
    chosen = parser.parse_args()
    if chosen.folder is not None:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        run(chosen.folder, list(chosen.sizes))
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), list(chosen.sizes))


if __name__ == "__main__":
    main()
