"""Reads the audit log with all that proves it, beside the processes that append to it; every method blocks."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import sqlite_utils

from pinfold.adapters.sqlite import audit_places
from pinfold.adapters.sqlite.audit_journal import is_anything_waiting
from pinfold.adapters.sqlite.audit_tree import Tiles
from pinfold.adapters.sqlite.errors import store_errors
from pinfold.audit.canonical import rfc3339
from pinfold.audit.merkle import HASH_SIZE
from pinfold.audit.tiles import WIDTH
from pinfold.domain.errors import StoreError


@dataclass(frozen=True, slots=True)
class LogState:
    """What the ledger says of its audit log as a whole, at one moment."""

    size: int
    """The number of entries that were signed."""
    note: bytes
    """The latest checkpoint."""
    pruned: int
    """The number of the last entry that was pruned; 0 where none was."""
    first_key: str
    present_key: str
    key_changes: tuple[bytes, ...]
    """The last checkpoints of the keys that were replaced, oldest first."""
    are_journals_as_signed: bool
    """Whether the latest checkpoint vouches for how far journals were taken up."""


class StoredCheckpoint(NamedTuple):
    """A signed checkpoint and what the ledger says of it."""

    size: int
    note: bytes
    ends_key: bool


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """What is stored of the entries of one tile."""

    first: int
    last: int
    """The numbers of the first and the last entry that should be there."""
    tile: bytes
    """All leaf hashes of the tile, up to the end of the log."""
    rows: list[tuple[Any, ...]]
    checkpoints: list[StoredCheckpoint]
    """Those whose sizes are reached within the block."""

    @property
    def hashes(self) -> bytes:
        """The leaf hashes of the entries that should be there."""
        return self.tile[(self.first - 1) % WIDTH * HASH_SIZE : ((self.last - 1) % WIDTH + 1) * HASH_SIZE]


class LogReader:
    """The audit log in a ledger's file."""

    def __init__(self, database: sqlite_utils.Database) -> None:
        self._database = database
        self.tiles = Tiles(database)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["LogReader"]:
        """Open a ledger only to read it; raises StoreError, also later, where it is missing or damaged."""
        with store_errors(path):
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            with sqlite_utils.Database(connection, execute_plugins=False) as database:
                database.execute("PRAGMA trusted_schema=OFF")
                reader = cls(database)
                if not reader._has("audit_tile", "audit_checkpoint", "audit_state"):
                    raise StoreError(f"{path} has no signed audit log yet: start this version of Pinfold once")
                yield reader

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one moment of the file; a long one would keep the write-ahead log from being emptied."""
        with self._database.atomic():
            yield

    def state(self) -> LogState:
        """Return what the ledger says of its audit log."""
        with self.snapshot():
            latest = self._one("SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
            keys = self._one("SELECT pruned, first_key, present_key FROM audit_state")
            if latest is None or keys is None:
                raise StoreError("the audit log's checkpoints are gone: restore the ledger from a backup")
            changes = self._database.execute("SELECT note FROM audit_checkpoint WHERE ends_key ORDER BY size")
            (size, note), (pruned, first_key, present_key) = latest, keys
            replaced = tuple(note for (note,) in changes)
            are_signed = audit_places.are_signed(self._database, note, gone_too=True)
            return LogState(size, note, pruned, first_key, present_key, replaced, are_signed)

    def is_anything_to_come(self, journals: Path) -> bool:
        """Tell whether journals hold entries that the log does not have yet."""
        with self.snapshot():
            # What an earlier version left is looked at by whoever opens it to write.
            return not self._has("audit_journal_gone") or is_anything_waiting(self._database, journals)

    def strays(self, state: LogState) -> list[int]:
        """Return numbers of entries beyond either end of the log, as it was at the time of a state."""
        with self.snapshot():
            # What was appended meanwhile is beyond the end too, and has been signed since.
            size = self._one("SELECT max(size) FROM audit_checkpoint")
            found = self._database.execute(
                "SELECT min(seq) FROM audit WHERE seq <= ? HAVING min(seq) IS NOT NULL "
                "UNION ALL SELECT min(seq) FROM audit WHERE seq > ? HAVING min(seq) IS NOT NULL",
                [state.pruned, max(state.size, *(size or (0,)))],
            )
            return [seq for (seq,) in found]

    def tile_bytes(self) -> tuple[int, int]:
        """Return for how many entries there are tiles, by the latest checkpoint, and how many bytes they have."""
        with self.snapshot():
            size = self._one("SELECT max(size) FROM audit_checkpoint")
            found = self._one("SELECT total(length(hashes)) FROM audit_tile")
            return (size or (0,))[0], int((found or (0,))[0])

    def parts(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield digest and text of each client and set of verdicts."""
        yield from self._database.execute(
            "SELECT digest, text FROM audit_client UNION ALL SELECT digest, text FROM audit_verdicts"
        )

    def templates(self) -> Iterator[tuple[bytes, tuple[bytes, bytes | None]]]:
        """Yield digest and text of each template, with that of its verdicts."""
        rows = self._database.execute(
            "SELECT template.digest, template.text, verdicts.text FROM audit_template AS template "
            "LEFT JOIN audit_verdicts AS verdicts ON verdicts.id = template.verdicts ORDER BY template.id"
        )
        yield from ((digest, (text, verdicts)) for digest, text, verdicts in rows)

    def evidence(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Yield number, digest and parts of each piece of evidence, without parts that are gone or damaged."""
        for number, digest, parts in self._database.execute("SELECT id, digest, parts FROM evidence ORDER BY id"):
            try:
                wanted = [int(part) for part in json.loads(parts)]
            except (ValueError, TypeError):
                wanted = []
            found = (self._one("SELECT digest, body FROM evidence_part WHERE id = ?", part) for part in wanted)
            yield number, digest, [row[1] for row in found if row and sha256(row[1]).digest() == row[0]]

    def first_with(self, evidence: int) -> int:
        """Return the lowest number of the entries that refer to a piece of evidence; 0 where none does."""
        row = self._one("SELECT min(seq) FROM audit WHERE evidence = ?", evidence)
        return row[0] or 0 if row else 0

    def blocks(self, state: LogState, first: int, last: int, columns: str = "body, seq") -> Iterator[StoredBlock]:
        """Yield what is stored of the entries from `first` to `last`, a tile at a time.

        Raises StoreError where entries among them were pruned meanwhile.
        """
        while first <= last:
            index = (first - 1) // WIDTH
            end = min(last, (index + 1) * WIDTH)
            with self.snapshot():
                self._check_pruned(state)
                filled = min(state.size, (index + 1) * WIDTH) - index * WIDTH
                block = StoredBlock(
                    first,
                    end,
                    self.tiles.tile(0, index)[: filled * HASH_SIZE],
                    self._rows(first, end, columns),
                    list(self.checkpoints(first, end)),
                )
            yield block
            first = end + 1

    def checkpoints(self, first: int, last: int) -> Iterator[StoredCheckpoint]:
        """Yield the stored checkpoints of some sizes, in order."""
        rows = self._database.execute(
            "SELECT size, note, ends_key FROM audit_checkpoint WHERE size BETWEEN ? AND ? ORDER BY size", [first, last]
        )
        return (StoredCheckpoint(size, note, bool(ends_key)) for size, note, ends_key in rows)

    def first_since(self, since: datetime) -> int | None:
        """Return the lowest number of the entries of a moment or later; None where there are none."""
        row = self._one("SELECT min(seq) FROM audit WHERE time >= ?", rfc3339(since))
        return None if row is None else row[0]

    def _rows(self, first: int, last: int, columns: str) -> list[tuple[Any, ...]]:
        sql = f"SELECT {columns} FROM audit_entry WHERE seq BETWEEN ? AND ? ORDER BY seq"  # noqa: S608 - our own names
        return self._database.execute(sql, [first, last]).fetchall()

    def _check_pruned(self, state: LogState) -> None:
        row = self._one("SELECT pruned FROM audit_state")
        if row is None or row[0] != state.pruned:
            raise StoreError("entries were pruned from the audit log while it was read: run the command again")

    def _has(self, *tables: str) -> bool:
        return set(tables) <= set(self._database.table_names())

    def _one(self, sql: str, *values: str | int) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.execute(sql, values).fetchone()
        return row
