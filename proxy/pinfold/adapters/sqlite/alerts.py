"""The outbox of alerts in the ledger's file."""

import logging
from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import rfc3339
from pinfold.domain.alert import Alert
from pinfold.domain.errors import StoreError
from pinfold.ports.alerts import Delivery

log = logging.getLogger(__name__)

MOST_PENDING = 10_000
"""Deliveries that the outbox holds; beyond that the oldest that was given up goes, and then the oldest of all."""
_COLUMNS = "number, receiver, body, attempts, next_at, error, dead"
_decoder = msgspec.json.Decoder(Alert)


def put(database: sqlite_utils.Database, alert: Alert, receivers: Collection[str]) -> None:
    """Put an alert into the outbox, for each receiver, in the transaction that is open."""
    body = msgspec.json.encode(alert).decode()
    for receiver in receivers:
        database.execute(
            "INSERT INTO alert_delivery (receiver, alert, body, next_at) VALUES (?, ?, ?, ?)",
            [receiver, alert.id, body, rfc3339(alert.time)],
        )
    (count,) = database.execute("SELECT count(*) FROM alert_delivery").fetchone()
    if count > MOST_PENDING:
        log.error("the outbox of alerts is full: %d of the oldest are dropped", count - MOST_PENDING)
        database.execute(
            "DELETE FROM alert_delivery WHERE number IN "
            "(SELECT number FROM alert_delivery ORDER BY dead DESC, number LIMIT ?)",
            [count - MOST_PENDING],
        )


class SqliteOutbox:
    """Alerts that wait for their receivers, and those that were given up."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def put(self, alert: Alert, receivers: Collection[str]) -> None:
        """Let an alert wait for each receiver."""
        await self._ledger.write(lambda database: put(database, alert, receivers))

    async def take(self, receiver: str, at: datetime, until: datetime) -> Delivery | None:
        """Return the next delivery that is due, with the attempt counted; until a moment it is nobody else's."""
        due = (
            "SELECT number FROM alert_delivery WHERE receiver = ? AND NOT dead AND next_at <= ? "
            "ORDER BY next_at, number LIMIT 1"
        )
        waiting = await self._ledger.read(lambda database: database.execute(due, [receiver, rfc3339(at)]).fetchone())
        if waiting is None:
            return None

        def work(database: sqlite_utils.Database) -> Any:
            return database.execute(
                f"UPDATE alert_delivery SET next_at = ?, attempts = attempts + 1 WHERE number = ({due}) "  # noqa: S608 - made of constants
                f"RETURNING {_COLUMNS}",
                [rfc3339(until), receiver, rfc3339(at)],
            ).fetchone()

        row = await self._ledger.write(work)
        return None if row is None else self._delivery(row)

    async def delivered(self, number: int) -> None:
        """Take a delivery out of the outbox."""
        await self._ledger.write(
            lambda database: database.execute("DELETE FROM alert_delivery WHERE number = ?", [number])
        )

    async def failed(self, number: int, error: str, next_at: datetime, *, dead: bool) -> None:
        """Note why an attempt failed, and when to try again, unless it is given up."""
        await self._ledger.write(
            lambda database: database.execute(
                "UPDATE alert_delivery SET error = ?, next_at = ?, dead = ? WHERE number = ?",
                [error, rfc3339(next_at), int(dead), number],
            )
        )

    async def pending(self) -> list[Delivery]:
        """Return everything that waits or was given up, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM alert_delivery ORDER BY number"  # noqa: S608 - made of constants
        rows = await self._ledger.read(lambda database: database.execute(sql).fetchall())
        return [self._delivery(row) for row in rows]

    async def retry(self, alert_id: str | None, at: datetime) -> int:
        """Let what was given up be tried again, all of it or one alert's; return how many deliveries that is."""

        def work(database: sqlite_utils.Database) -> int:
            revived = database.execute(
                "UPDATE alert_delivery SET dead = 0, attempts = 0, next_at = ? "
                "WHERE dead AND alert = coalesce(?, alert)",
                [rfc3339(at), alert_id],
            )
            return revived.rowcount

        return await self._ledger.write(work)

    def _delivery(self, row: tuple[Any, ...]) -> Delivery:
        number, receiver, body, attempts, next_at, error, dead = row
        try:
            alert = _decoder.decode(body)
        except msgspec.DecodeError as failed:
            raise StoreError(f"{self._ledger.path} has a damaged alert: {failed}; restore it from a backup") from failed
        return Delivery(number, receiver, alert, attempts, datetime.fromisoformat(next_at), error, bool(dead))
