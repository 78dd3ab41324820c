"""The audit log in SQLite."""

import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import canonical_bytes, from_canonical, kept_text, rfc3339
from pinfold.domain.audit_entry import Entry, Recorded
from pinfold.domain.errors import StoreError
from pinfold.ports.audit_log import AuditQuery

_SEARCHED = ("index", "project", "version", "filename", "sha256", "decision", "rule", "reference")
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
    equal = {name: getattr(query, name) for name in ("action", "actor", "address", *_SEARCHED)}
    conditions: dict[str, str | int] = {
        f'"{name}" = ?': kept_text(text) for name, text in equal.items() if text is not None
    }
    if query.since is not None:
        conditions["time >= ?"] = rfc3339(query.since)
    if query.until is not None:
        conditions["time < ?"] = rfc3339(query.until)
    if query.after_seq:
        conditions["seq < ?" if query.newest_first else "seq > ?"] = query.after_seq
    where = " AND ".join(conditions) or "true"
    order = "DESC" if query.newest_first else "ASC"
    sql = f"SELECT body FROM audit WHERE {where} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - values are bound
    return sql, [*conditions.values(), max(query.limit, 0)]


def _kept(text: str | None) -> str | None:
    return None if text is None else kept_text(text)
