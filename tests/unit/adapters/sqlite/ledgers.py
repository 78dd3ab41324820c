"""Ledgers with a signed audit log, for the tests of what proves it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlite_utils
from tests.fakes.evidence import evidence_of

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_log import SqliteAuditLog
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.adapters.sqlite.audit_tree import AuditTree, rotate_key
from pinfold.adapters.sqlite.audit_verify import verify_store
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.ledger import open_ledger
from pinfold.audit.findings import Kind, Verification
from pinfold.audit.note import Signer, Verifier
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.evidence import Evidence

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)

EVIDENCE = evidence_of()
VERDICTS = ({"rule": "minimum-age", "outcome": "pass", "effect": "allow"},)


def entry(number: int) -> Entry:
    return Entry(
        Action.FILE_SERVED,
        NOON + timedelta(minutes=number),
        Actor("ci"),
        project="six",
        version=f"1.{number}",
        verdicts=VERDICTS,
        evidence_digest=EVIDENCE.digest(),
    )


def ledger_of(root: Path) -> Path:
    return root / "ledger.db"


def keys_of(root: Path) -> SigningKeys:
    return SigningKeys(root / "keys")


@asynccontextmanager
async def opened(root: Path) -> AsyncIterator[tuple[Database, AuditTree]]:
    """Open a ledger, to be closed whatever becomes of it."""
    ledger, tree = await open_ledger(ledger_of(root), keys_of(root))
    try:
        yield ledger, tree
    finally:
        await ledger.close()


async def append(ledger: Database, *entries: Entry, evidence: Evidence | None = None) -> list[int]:
    """Append entries in one transaction, past all journals; return their numbers."""
    return await ledger.write(lambda database: [append_entry(database, one, evidence) for one in entries])


def log_entries(root: Path, *groups: int) -> None:
    """Append entries, those of each group at once."""

    root.mkdir(exist_ok=True)

    async def work() -> None:
        async with opened(root) as (ledger, _):
            number = 0
            for group in groups:
                await append(ledger, *(entry(number + n) for n in range(1, group + 1)), evidence=EVIDENCE)
                number += group

    asyncio.run(work())


def journals(root: Path) -> list[Path]:
    return sorted((root / "journal").glob("*"))


def abandon(root: Path, *wanted: Entry, evidence: Evidence | None = None) -> None:
    """Append entries and go, as a process does that is killed before the ledger has them."""

    async def work() -> None:
        async with opened(root) as (ledger, _):
            log = SqliteAuditLog(ledger)
            for one in wanted:
                await log.append(one, evidence)
            await log._recorder._journals.close()

    asyncio.run(work())


def rotate(root: Path) -> tuple[Verifier, Verifier]:
    """Replace the key; return the old one and the new one."""

    async def change() -> tuple[Verifier, Verifier]:
        async with opened(root) as (ledger, tree):
            return await rotate_key(ledger, tree, Entry(Action.AUDIT_KEY_CHANGED, NOON, Actor("kim")))

    return asyncio.run(change())


def present_key(root: Path) -> Verifier:
    with LogReader.open(ledger_of(root)) as reader:
        return Verifier.parse(reader.state().present_key)


def latest_note(root: Path) -> bytes:
    with LogReader.open(ledger_of(root)) as reader:
        return reader.state().note


def verified(root: Path, *kept: bytes, trusted: Sequence[Verifier] = ()) -> Verification:
    with LogReader.open(ledger_of(root)) as reader:
        return verify_store(reader, trusted or [present_key(root)], kept)


def told(answer: Verification) -> list[tuple[Kind, int]]:
    return [(problem.kind, problem.seq) for problem in answer.problems]


@contextmanager
def intruding(root: Path) -> Iterator[sqlite3.Connection]:
    """Change a ledger as somebody would who owns the file: past every trigger."""
    with sqlite3.connect(ledger_of(root)) as intruder:
        drop_triggers(intruder)
        yield intruder
    intruder.close()


def drop_triggers(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")


class StolenKeys(SigningKeys):
    """The key of a log in the hands of somebody who signs with it what was never logged."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "keys")
        self._stolen = self.load(present_key(root))

    def create(self, name: str) -> Signer:
        return self._stolen


def rewrite(root: Path, *statements: str) -> None:
    """Change a log and sign it anew with its own key, so that nothing in it tells of the change."""
    keys = StolenKeys(root)
    with intruding(root) as intruder:
        for sql in (*statements, *(f"DELETE FROM audit_{table}" for table in ("tile", "checkpoint", "state"))):
            intruder.execute(sql)

    async def sign() -> None:
        ledger, _ = await open_ledger(ledger_of(root), keys)
        await ledger.close()

    asyncio.run(sign())


class Tampering:
    """Verifies a copy of a ledger after a change, each time of the same copy."""

    def __init__(self, copy: sqlite_utils.Database, trusted: Sequence[Verifier]) -> None:
        self._copy = copy
        self._trusted = trusted

    def __call__(self, sql: str, *values: object) -> Verification:
        return self.all([(sql, values)])

    def swap(self, one: int, other: int) -> Verification:
        sql = "UPDATE audit SET seq = ? WHERE seq = ?"
        return self.all([(sql, numbers) for numbers in ((-1, one), (one, other), (other, -1))])

    def all(self, statements: Sequence[tuple[str, Sequence[object]]]) -> Verification:
        self._copy.execute("BEGIN")
        try:
            for sql, values in statements:
                self._copy.execute(sql, values)
            return verify_store(LogReader(self._copy), self._trusted)
        finally:
            self._copy.rollback()


@contextmanager
def tampering(root: Path, *trusted: Verifier) -> Iterator[Tampering]:
    key = trusted or [present_key(root)]
    original = sqlite3.connect(ledger_of(root))
    copy = sqlite3.connect(":memory:", isolation_level=None)
    original.backup(copy)
    original.close()
    drop_triggers(copy)
    with sqlite_utils.Database(copy) as database:
        yield Tampering(database, key)
