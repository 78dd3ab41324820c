"""Pin sets in SQLite: one version a row, the present ones kept in memory for as long as nobody changes them."""

import sys
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import rfc3339
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import InvalidRecord, StoreError
from pinfold.domain.pins import Pin, PinAct, PinSet, PinSetVersion, pins_digest
from pinfold.usecases.kept import Kept

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[Pin, ...])
_LATEST = "SELECT max(number) FROM pin_set WHERE name = ?"


class SqlitePinStore:
    """The sets in the ledger's file, beside the audit log that each change of them is entered in."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._kept: dict[str, Kept[PinSet | None]] = {}

    async def current(self, name: str) -> PinSet | None:
        """Return a set as it is now; without a look at the file where one was taken just now."""
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = Kept(partial(self._look, name), None, self._ledger.present)
        latest = await kept.current()
        return None if latest is None or latest.head.act is PinAct.REMOVE else latest

    async def version(self, name: str, number: int) -> PinSet | None:
        """Return one version of a set."""
        return await self._ledger.read(lambda database: self._load(database, name, number))

    async def history(self, name: str | None = None) -> list[PinSetVersion]:
        """Return every version of a set, or of all, in the order in which they were made."""
        sql = "SELECT * FROM pin_set WHERE :name IS NULL OR name = :name ORDER BY rowid"
        return await self._ledger.read(
            lambda database: [self._head(row) for row in database.query(sql, {"name": name})]
        )

    async def add(self, pin_set: PinSet, entry: Entry) -> None:
        """Add the next version of a set and its audit entry."""
        head = pin_set.head
        body = zstd.compress(_encoder.encode(pin_set.pins))

        def work(database: sqlite_utils.Database) -> None:
            (latest,) = database.execute(_LATEST, [head.name]).fetchone()
            if (latest or 0) + 1 != head.number:
                raise InvalidRecord(f"somebody changed pin set {head.name} meanwhile: look at the difference once more")
            database.table("pin_set").insert(
                {
                    "name": head.name,
                    "number": head.number,
                    "act": head.act.value,
                    "created_by": head.created_by,
                    "created_at": rfc3339(head.created_at),
                    "sources": msgspec.json.encode(head.sources).decode(),
                    "files": head.files,
                    "digest": head.digest,
                    "body": body,
                }
            )
            append_entry(database, entry)

        try:
            await self._ledger.write(work)
        finally:
            if head.name in self._kept:
                self._kept[head.name].distrust()

    async def _look(self, name: str, present: PinSet | None) -> PinSet | None:
        def work(database: sqlite_utils.Database) -> PinSet | None:
            (latest,) = database.execute(_LATEST, [name]).fetchone()
            if latest is None or (present is not None and present.head.number == latest):
                return present
            return self._load(database, name, latest)

        return await self._ledger.read(work)

    def _load(self, database: sqlite_utils.Database, name: str, number: int) -> PinSet | None:
        rows = database.query("SELECT * FROM pin_set WHERE name = ? AND number = ?", [name, number])
        row = next(iter(rows), None)
        if row is None:
            return None
        head = self._head(row)
        try:
            pins = _decoder.decode(zstd.decompress(row["body"]))
        except (zstd.ZstdError, msgspec.DecodeError) as error:
            raise self._damaged(name, error) from error
        if pins_digest(pins) != head.digest:
            raise self._damaged(name, ValueError("its pins are not those of its digest"))
        return PinSet(head, pins)

    def _head(self, row: Mapping[str, Any]) -> PinSetVersion:
        try:
            return PinSetVersion(
                name=row["name"],
                number=row["number"],
                act=PinAct(row["act"]),
                created_by=row["created_by"],
                created_at=datetime.fromisoformat(row["created_at"]),
                sources=msgspec.json.decode(row["sources"], type=tuple[str, ...]),
                files=row["files"],
                digest=row["digest"],
            )
        except ValueError as error:
            raise self._damaged(row["name"], error) from error

    def _damaged(self, name: str, error: Exception) -> StoreError:
        return StoreError(f"{self._ledger.path} has a damaged pin set {name}: {error}; restore it from a backup")
