"""An audit log of any length, as busy years would leave it, written in minutes instead of days.

Rows go around the port: in large transactions that are not synced, with triggers and indexes put back at the end. What
they refer to is stored, and the tree is grown and signed, by the code that does so in production, and the first rows
are compared with what appending leaves.
"""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import sqlite_utils
from tests.fakes.evidence import SNAPSHOT, a_file, evidence_of

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_append import Draft, append_entry
from pinfold.adapters.sqlite.audit_parts import clients, templates
from pinfold.adapters.sqlite.audit_tree import AuditTree
from pinfold.adapters.sqlite.evidence import keep
from pinfold.audit.canonical import rfc3339
from pinfold.domain.advisory import Advisories
from pinfold.domain.audit_entry import Action, Actor, Entry
from pinfold.domain.evidence import Evidence, Known, plain

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 3
"""Between two entries: ten million are a year."""
PROJECTS, CLIENTS = 20_000, 500
PORTION = 250_000
FEED_CHANGES = 100_000
"""Requests for which the evidence of a file stays the same."""
RULES = (
    *("quarantined", "private-name", "hash-changed", "known-malware", "vanished", "upstream-status", "provenance"),
    *("provenance-downgrade", "contents", "minimum-age", "known-vulnerability"),
)
PIP = (
    'pip/26.3 {"ci":true,"cpu":"x86_64","distro":{"id":"bookworm","libc":{"lib":"glibc","version":"2.36"},"name":'
    '"Debian GNU/Linux","version":"12"},"implementation":{"name":"CPython","version":"3.12.4"},"installer":{"name":'
    '"pip","version":"26.3"},"openssl_version":"OpenSSL 3.0.14 4 Jun 2024","python":"3.12.4","system":{"name":"Linux",'
    '"release":"6.1.0-28-amd64"}}'
)
VERDICTS = tuple({"rule": rule, "outcome": "pass", "effect": "allow"} for rule in RULES)
REFUSED = (*VERDICTS[:-2], {"rule": "minimum-age", "outcome": "fail", "effect": "quarantine", "reason": "too young"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what varies from entry to entry."""

    number: int
    project: str
    version: str
    client: int
    refused: bool
    index: str

    @property
    def filename(self) -> str:
        """The file's name."""
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def sha256(self) -> str:
        """The file's hash."""
        return sha256(self.filename.encode()).hexdigest()

    @property
    def digest(self) -> str:
        """The digest of the evidence."""
        return _digest(self.filename, self.number // FEED_CHANGES)

    @property
    def evidence(self) -> Evidence:
        """The evidence of the file, which is another one as feeds change."""
        return _evidence(self.filename, self.number // FEED_CHANGES)

    @property
    def reference(self) -> str | None:
        """What a refusal quotes."""
        return f"D-{self.number:07d}" if self.refused else None

    @property
    def time(self) -> datetime:
        """When it was."""
        return BEGIN + timedelta(seconds=SECONDS * self.number)


@lru_cache(PROJECTS)
def _evidence(filename: str, time: int) -> Evidence:
    file = a_file(filename=filename, sha256=sha256(filename.encode()).hexdigest())
    return evidence_of(file, advisories=Known(Advisories((replace(SNAPSHOT, sha256=f"{time:064x}"),))))


@lru_cache(PROJECTS)
def _digest(filename: str, time: int) -> str:
    return _evidence(filename, time).digest()


def asked(first: int, count: int) -> Iterator[Asked]:
    """Yield requests in order of time: a few projects are asked for often, most of them seldom."""
    chance = random.Random(first)
    for number in range(first, first + count):
        yield Asked(
            number,
            f"project-{int(chance.paretovariate(0.7)) % PROJECTS}",
            f"{chance.randrange(4)}.{chance.randrange(10)}.{chance.randrange(5)}",
            chance.randrange(CLIENTS),
            chance.random() < 0.01,
            "main" if chance.random() < 0.98 else "strict",
        )


def actor(client: int) -> Actor:
    """Return who asks."""
    address = f"192.0.2.{client % 250}"
    return Actor(f"ci-{client % 50}", address, "pip", "26.3", "3.12.4", ci=True, user_agent=PIP)


def entry(one: Asked) -> Entry:
    """Return the entry of a request."""
    return Entry(
        action=Action.FILE_REFUSED if one.refused else Action.FILE_SERVED,
        time=one.time,
        actor=actor(one.client),
        index=one.index,
        project=one.project,
        version=one.version,
        filename=one.filename,
        sha256=one.sha256,
        decision="quarantine" if one.refused else "allow",
        rule="minimum-age" if one.refused else None,
        verdicts=REFUSED if one.refused else VERDICTS,
        policy_digest="b" * 64,
        evidence_digest=one.digest,
        reference=one.reference,
        details={"upstream": "pypi"},
    )


def fill(path: Path, keys: SigningKeys, first: int, count: int) -> None:
    """Append requests to a ledger that exists, signed as one transaction each portion."""
    connection = sqlite3.connect(path, isolation_level=None)
    with sqlite_utils.Database(connection) as database:
        for pragma in ("synchronous=OFF", "cache_size=-600000", "temp_store=FILE", "wal_autocheckpoint=0"):
            database.execute(f"PRAGMA {pragma}")
        later = database.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'audit' AND type IN ('index', 'trigger')"
        ).fetchall()
        for kind, name, _ in later:
            database.execute(f"DROP {kind} {name}")
        tree = AuditTree(keys)
        requests = asked(first, count)
        for begin in range(0, count, PORTION):
            database.execute("BEGIN IMMEDIATE")
            tree.begin(database)
            _insert(database, [one for one, _ in zip(requests, range(min(PORTION, count - begin)), strict=False)])
            tree.end(database)
            database.execute("COMMIT")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for *_, sql in later:
            database.execute(sql)
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _insert(database: sqlite_utils.Database, requests: list[Asked]) -> None:
    (last,) = database.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
    numbers = _Numbers(database)
    for one in requests[:50]:
        _check(database, one, numbers)
    database.conn.executemany(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?)",
        ((seq, *numbers.row(one)) for seq, one in enumerate(requests, last + 1)),
    )
    database.conn.executemany(
        'INSERT OR IGNORE INTO served_file (project, filename, sha256, "index", version) VALUES (?, ?, ?, ?, ?)',
        {(one.project, one.filename, one.sha256, one.index, one.version) for one in requests if not one.refused},
    )


class _Numbers:
    """The numbers of what requests refer to."""

    def __init__(self, database: sqlite_utils.Database) -> None:
        self._database = database
        self._templates: dict[tuple[str, ...], int] = {}
        self._clients: dict[int, int] = {}
        self._evidence: dict[str, int] = {}

    def row(self, one: Asked) -> tuple[str, int, int, int]:
        """Return what is stored of a request, but its number."""
        said = one.project, one.version, one.index, one.reference or ""
        if said not in self._templates or one.client not in self._clients:
            template, client = Draft.of(entry(one), with_evidence=True)[1:3]
            found = templates(self._database, [template.digest], {template.digest: template}.__getitem__)
            self._templates[said] = found[template.digest].number
            known = clients(self._database, [client.digest], {client.digest: client}.__getitem__)
            self._clients[one.client] = known[client.digest].number
        if one.digest not in self._evidence:
            self._evidence |= keep(self._database, [one.digest], lambda _: plain(one.evidence))
        return rfc3339(one.time), self._templates[said], self._clients[one.client], self._evidence[one.digest]


def _check(database: sqlite_utils.Database, one: Asked, numbers: _Numbers) -> None:
    """Compare a row with what appending leaves."""
    expected = numbers.row(one)
    database.execute("SAVEPOINT trial")
    seq = append_entry(database, entry(one), one.evidence)
    row = database.execute("SELECT time, template, client, evidence FROM audit WHERE seq = ?", [seq]).fetchone()
    database.execute("ROLLBACK TO trial")
    database.execute("RELEASE trial")
    if row != expected:
        raise AssertionError(f"the rows are not what appending leaves: {row} and {expected}")
