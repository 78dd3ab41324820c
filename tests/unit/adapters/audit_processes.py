"""What other processes append to an audit log while tests look on."""

import asyncio
import os
from dataclasses import replace
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from tests.unit.adapters.sqlite.ledgers import entry, keys_of, ledger_of

from pinfold.adapters.sqlite import audit_recorder, audit_taker
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.ledger import open_ledger


def append(root: Path, start: Connection, number: int) -> None:
    """Open the ledger once told to, which may create it, and append entries, a few at once."""

    async def work() -> None:
        ledger, _ = await open_ledger(ledger_of(root), keys_of(root))
        log = SqliteAuditLog(ledger)
        for _ in range(number // 5):
            await asyncio.gather(*(log.append(entry(n)) for n in range(5)))
        await log.close()
        await ledger.close()

    start.recv()
    asyncio.run(work())


def append_until_killed(root: Path, report: Connection, tasks: int, delay: float = audit_recorder.DELAY) -> None:
    """Append entries under load, and report each once it is acknowledged; see to it late that they are taken up."""

    async def go_on(log: SqliteAuditLog) -> None:
        while True:
            version = next(versions)
            await log.append(replace(entry(0), version=version))
            report.send(version)

    async def work() -> None:
        ledger, _ = await open_ledger(ledger_of(root), keys_of(root))
        log = SqliteAuditLog(ledger)
        await asyncio.gather(*(go_on(log) for _ in range(tasks)))

    audit_recorder.DELAY = delay
    versions = (f"{os.getpid()}.{number}" for number in count())
    asyncio.run(work())


def take_up_until_killed(root: Path, report: Connection) -> None:
    """Take up what others record, without a pause, and report when that begins."""

    async def work() -> None:
        ledger, _ = await open_ledger(ledger_of(root), keys_of(root))
        report.send("ready")
        await audit_taker.take_up_for_all(ledger)

    audit_taker.BEAT = audit_taker.IDLE = 0
    asyncio.run(work())
