"""The audit log in SQLite."""

from datetime import UTC, datetime

import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import canonical_bytes, from_canonical, kept_text, rfc3339
from pinfold.domain.audit_entry import Entry, Recorded
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import AuditQuery

_SEARCHED = ("index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
_MOST_TELLING_FIRST = (
    *("reference", "sha256", "filename", "project", "rule", "address", "actor", "decision", "action"),
    *("version", "index"),
)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_INSERT = f"""
    INSERT INTO audit (seq, time, body, action, actor, address, {", ".join(f'"{name}"' for name in _SEARCHED)})
    VALUES ({", ".join("?" * (6 + len(_SEARCHED)))})
"""  # noqa: S608 - made of the names above


def append_entry(database: sqlite_utils.Database, entry: Entry) -> int:
    """Append an entry in the transaction that is open, and return its number."""
    (seq,) = database.execute("SELECT coalesce(max(seq), 0) + 1 FROM audit").fetchone()
    body = canonical_bytes(seq, entry)
    texts = [entry.action, entry.actor.name, entry.actor.address, *(getattr(entry, name) for name in _SEARCHED)]
    database.execute(_INSERT, [seq, rfc3339(entry.time), body, *map(_kept, texts)])
    return int(seq)


class SqliteAuditLog:
    """The audit log in the ledger's file."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def append(self, entry: Entry) -> int:
        """Append an entry and return its number, once it is durable."""
        return await self._ledger.write(lambda database: append_entry(database, entry))

    async def search(self, query: AuditQuery) -> list[Recorded]:
        """Return the entries that a query matches."""
        sql, values = _select(query)

        def work(database: sqlite_utils.Database) -> list[Recorded]:
            return [from_canonical(body) for (body,) in database.execute(sql, values)]

        try:
            return await self._ledger.read(work)
        except ValueError as error:
            raise StoreError(f"{self._ledger.path} is damaged: {error}; restore it from a backup") from error


def _select(query: AuditQuery) -> tuple[str, list[str | int]]:
    """Return the statement that answers a query, made so that SQLite, which knows no numbers, takes the best index.

    A unary plus keeps a column's index out of it. The order of `seq` is found first, in the indexes, before any body is
    read.
    """
    equal = [(name, text) for name in _MOST_TELLING_FIRST if (text := getattr(query, name)) is not None]
    conditions: list[tuple[str, str | int]] = [
        (f'{"+" if rank else ""}"{name}" = ?', kept_text(text)) for rank, (name, text) in enumerate(equal)
    ]
    if query.since is not None or query.until is not None:
        # With an end on both sides, the index of times is taken for the span alone.
        plus = "+" if equal else ""
        conditions.append((f"{plus}time >= ?", rfc3339(query.since or _FIRST)))
        conditions.append((f"{plus}time < ?", rfc3339(query.until or _LAST)))
    if query.after_seq:
        conditions.append(("seq > ?", query.after_seq))
    if query.before_seq is not None:
        conditions.append(("seq < ?", query.before_seq))
    where = " AND ".join(condition for condition, _ in conditions) or "true"
    order = "DESC" if query.newest_first else "ASC"
    found = f"SELECT seq FROM audit WHERE {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - values are bound
    sql = f"SELECT body FROM audit WHERE seq IN ({found}) ORDER BY seq {order}"  # noqa: S608 - the same
    return sql, [*(value for _, value in conditions), max(query.limit, 0)]


def _kept(text: str | None) -> str | None:
    return None if text is None else kept_text(text)
