"""An audit log of any length, as busy years would leave it, written in minutes instead of days.

Rows go around the port: in large transactions that are not synced, from a template of the canonical bytes, with
triggers and indexes put back at the end. The tree is grown and signed by the code that does so in production, and the
first rows are compared with what appending leaves.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

import sqlite_utils

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_columns import QUOTED, column_values
from pinfold.adapters.sqlite.audit_parts import STORED, LoggedClient, LoggedFile, Stored, cut_out, numbers_of
from pinfold.adapters.sqlite.audit_tree import AuditTree
from pinfold.audit.canonical import canonical_part, placed, render, rfc3339, texts_of
from pinfold.domain.audit_entry import Action, Actor, Entry

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 3
"""Between two entries: ten million are a year."""
PROJECTS, CLIENTS = 20_000, 500
PORTION = 250_000
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
    def evidence(self) -> str:
        """The digest of its evidence, which some thousand requests share in time."""
        return sha256(f"{self.filename}{self.number // 1000}".encode()).hexdigest()

    @property
    def reference(self) -> str | None:
        """What a refusal quotes."""
        return f"D-{self.number:07d}" if self.refused else None

    @property
    def time(self) -> datetime:
        """When it was."""
        return BEGIN + timedelta(seconds=SECONDS * self.number)


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
        evidence_digest=one.evidence,
        reference=one.reference,
        details={"upstream": "pypi"},
    )


class _Template:
    """Makes what is stored of requests that differ in names, numbers and times alone."""

    def __init__(self, database: sqlite_utils.Database, *, refused: bool) -> None:
        marked = Asked(0, "@project@", "@version@", 0, refused, "@index@")
        sample = replace(
            entry(marked),
            filename="@filename@",
            sha256="@sha256@",
            evidence_digest="@evidence@",
            reference="@reference@" if refused else None,
        )
        cut = cut_out(render(sample), sample)
        # The file is none of the log's: each request says which one it is.
        others = [part for part in cut.parts if part != cut.file]
        self._stored = cut.stored({cut.file: 0, **numbers_of(database, others)})
        text = placed(cut.body, 1).decode().replace("%", "%%").replace('"seq":1,', '"seq":%(seq)d,')
        text = text.replace(rfc3339(sample.time), "%(time)s")
        for name in ("project", "version", "index", "filename", "sha256", "evidence", "reference"):
            text = text.replace(f"@{name}@", f"%({name})s")
        # The names are not all in front of the place where the verdicts were.
        head, mark, tail = text.partition('"verdicts":')
        self._head, self._tail = head + mark, tail

    def stored(self, seq: int, one: Asked, client: int, file: int) -> Stored:
        names = {
            "seq": seq,
            "time": rfc3339(one.time),
            "project": one.project,
            "version": one.version,
            "index": one.index,
            "filename": one.filename,
            "sha256": one.sha256,
            "evidence": one.evidence,
            "reference": one.reference,
        }
        head = self._head % names
        body = (head + self._tail % names).encode()
        return self._stored._replace(body=body, client=client, file=file, verdicts_at=len(head))


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
    templates = {refused: _Template(database, refused=refused) for refused in (False, True)}
    told = [LoggedClient.of(actor(client), canonical_part(actor(client))) for client in range(CLIENTS)]
    numbers = numbers_of(database, told)
    clients = [numbers[one] for one in told]
    files: dict[tuple[str, str], int] = {}

    def file_of(one: Asked) -> int:
        key = one.project, one.version
        if key not in files:
            file = LoggedFile(one.project, one.version, one.filename, one.sha256)
            files[key] = numbers_of(database, [file])[file]
        return files[key]

    for one in requests[:50]:
        _check(
            database,
            one,
            partial(templates[one.refused].stored, one=one, client=clients[one.client], file=file_of(one)),
        )
    marks = ", ".join("?" * (len(Stored._fields) + 1 + len(QUOTED.split(", "))))
    database.conn.executemany(
        f"INSERT INTO audit (seq, {STORED}, {QUOTED}) VALUES ({marks})",
        (
            (seq, *templates[one.refused].stored(seq, one, clients[one.client], file_of(one)), *_columns(one))
            for seq, one in enumerate(requests, last + 1)
        ),
    )
    database.conn.executemany(
        'INSERT OR IGNORE INTO served_file (project, filename, sha256, "index", version) VALUES (?, ?, ?, ?, ?)',
        {(one.project, one.filename, one.sha256, one.index, one.version) for one in requests if not one.refused},
    )


def _columns(one: Asked) -> tuple[str | None, ...]:
    refused = one.refused
    return (
        rfc3339(one.time),
        "file.refused" if refused else "file.served",
        one.index,
        "quarantine" if refused else "allow",
        "minimum-age" if refused else None,
        one.reference,
        None,
    )


def _check(database: sqlite_utils.Database, one: Asked, stored: Callable[[int], Stored]) -> None:
    """Compare a row with what appending leaves."""
    database.execute("SAVEPOINT trial")
    seq = append_entry(database, entry(one))
    row = database.execute(f"SELECT {STORED}, {QUOTED} FROM audit WHERE seq = ?", [seq]).fetchone()
    database.execute("ROLLBACK TO trial")
    database.execute("RELEASE trial")
    made = (*stored(seq), *_columns(one))
    if row != made or list(_columns(one)) != column_values(entry(one), texts_of(entry(one))):
        raise AssertionError(f"the rows are not what appending leaves: {row} and {made}")
