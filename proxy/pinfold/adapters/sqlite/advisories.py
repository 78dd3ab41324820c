"""Advisory feeds in a SQLite file of their own."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TypeVar

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.database import Database, Work
from pinfold.advisories.osv_record import Record
from pinfold.domain.advisory import Claim, ProjectClaims, Snapshot
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import NO_FEED, Item, Known
from pinfold.ports.advisories import FeedState
from pinfold.usecases.kept import Kept
from pinfold.usecases.lru import Lru

T = TypeVar("T")

CLAIMS_IN_MEMORY = 50_000
BATCH = 2_000
"""Records that are written, or deleted, in one transaction."""

Present = tuple[tuple[int, Snapshot], ...]
"""The generations of the feeds in use, with what each holds."""

_encoder = msgspec.json.Encoder(order="deterministic")
_claim = msgspec.json.Decoder(Claim)
_snapshot = msgspec.json.Decoder(Snapshot)
_state = msgspec.json.Decoder(FeedState)


class _Held:
    """What the feeds in use hold: their snapshots, and as much of their claims as was asked for since."""

    def __init__(self, present: Present | None = None) -> None:
        self.present = present
        self.snapshots = tuple(snapshot for _, snapshot in present or ())
        self.silent = Known(ProjectClaims(self.snapshots))
        self.memory: Lru[str, Known[ProjectClaims]] = Lru(CLAIMS_IN_MEMORY)


class SqliteAdvisoryStore:
    """What the feeds in use hold; claims that were asked for stay in memory for as long as nothing changes."""

    def __init__(self, file: Database, feeds: Iterable[str]) -> None:
        self._file = file
        self._feeds = tuple(sorted(feeds))
        self._kept = Kept(self._look, _Held(), self._file.present)

    async def about(self, project: str) -> Item[ProjectClaims]:
        """Return what the feeds hold on a project."""
        held = await self._kept.current()
        if held.present is None:
            return NO_FEED
        about = held.memory.get(project)
        return about if about is not None else await self._read_about(project, held)

    async def state(self, feed: str) -> FeedState:
        """Return what is known of a feed."""
        return await self._read(lambda database: _read_state(database, feed))

    async def save(self, feed: str, state: FeedState) -> None:
        """Note what else is known of a feed."""
        await self._file.write(lambda database: _write_state(database, feed, state))

    async def modified(self, feed: str, ids: Sequence[str]) -> Mapping[str, datetime]:
        """Return when records were modified, as far as the feed has them."""

        def work(database: sqlite_utils.Database) -> dict[str, datetime]:
            query = (
                "SELECT modified FROM advisory WHERE id = ? "
                "AND generation = (SELECT generation FROM feed WHERE name = ?)"
            )
            rows = ((one, database.execute(query, [one, feed]).fetchone()) for one in ids)
            return {one: datetime.fromisoformat(row[0]) for one, row in rows if row}

        return await self._read(work)

    async def load(self, feed: str, records: Iterable[Record]) -> int:
        """Keep a whole feed aside, in as many transactions as it takes, so that nobody waits long for the file."""
        generation = await self._file.write(lambda database: _new_generation(database, feed))
        batches = iter(records)
        try:
            while batch := await asyncio.to_thread(_next_rows, batches):
                await self._file.write(partial(_insert, generation=generation, rows=batch))
        except BaseException:
            await self.discard(generation)
            raise
        return generation

    async def switch(self, feed: str, generation: int, at: datetime) -> Snapshot:
        """Put a whole feed in the place of the present one."""

        def work(database: sqlite_utils.Database) -> tuple[Snapshot, list[int]]:
            snapshot = _take(database, feed, generation, at)
            others = database.execute(
                "SELECT number FROM generation WHERE feed = ? AND number < ?", [feed, generation]
            ).fetchall()
            return snapshot, [number for (number,) in others]

        snapshot, others = await self._file.write(work)
        self._kept.distrust()
        for number in others:
            await self.discard(number)
        return snapshot

    async def discard(self, generation: int) -> None:
        """Forget a whole feed, a little at a time."""
        is_left = True
        while is_left:
            is_left = await self._file.write(lambda database: _delete_some(database, generation))

    async def apply(self, feed: str, records: Sequence[Record], at: datetime) -> Snapshot:
        """Put single records in the place of the present ones."""
        rows = [_row(record) for record in records]

        def work(database: sqlite_utils.Database) -> Snapshot:
            found = database.execute("SELECT generation FROM feed WHERE name = ?", [feed]).fetchone()
            if found is None or found[0] is None:
                raise StoreError(f"feed {feed} was never loaded")
            (generation,) = found
            for one in rows:
                database.execute("DELETE FROM claim WHERE generation = ? AND id = ?", [generation, one.id])
            _insert(database, generation, rows)
            return _take(database, feed, generation, at)

        snapshot = await self._file.write(work)
        self._kept.distrust()
        return snapshot

    async def _look(self, held: _Held) -> _Held:
        present = await self._read(self._read_present)
        return held if present == held.present else _Held(present)

    async def _read_about(self, project: str, held: _Held) -> Item[ProjectClaims]:
        def work(database: sqlite_utils.Database) -> tuple[Present | None, list[Claim]]:
            present = self._read_present(database)
            rows = [
                row
                for generation, _ in present or ()
                for row in database.execute(
                    "SELECT content FROM claim WHERE generation = ? AND project = ? ORDER BY id", [generation, project]
                )
            ]
            return present, [_claim.decode(content) for (content,) in rows]

        # Snapshots and claims are of one moment: a generation that was replaced meanwhile may be half deleted.
        present, claims = await self._read(work)
        if present != held.present:
            self._kept.distrust()
            held = _Held(present)
        if present is None:
            return NO_FEED
        if (read_meanwhile := held.memory.get(project)) is not None:
            # The same object for all, or each of those who ask at once would have the project judged anew.
            return read_meanwhile
        about = Known(ProjectClaims(held.snapshots, tuple(claims))) if claims else held.silent
        held.memory.put(project, about, 1 + len(claims))
        return about

    def _read_present(self, database: sqlite_utils.Database) -> Present | None:
        """Return the snapshots; None unless there is one of each feed in use, and any feed at all."""
        rows = database.execute("SELECT name, generation, snapshot FROM feed WHERE snapshot IS NOT NULL ORDER BY name")
        found = [(generation, _snapshot.decode(content)) for name, generation, content in rows if name in self._feeds]
        return tuple(found) if found and len(found) == len(self._feeds) else None

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._file.read(work)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(f"{self._file.path} has damaged advisories: {error}") from error


class _Row(msgspec.Struct):
    """A record as it is kept."""

    id: str
    modified: str
    digest: bytes
    claims: list[tuple[str, bytes]]


def _row(record: Record) -> _Row:
    modified = record.modified.isoformat()
    claims = [(project, _encoder.encode(claim)) for project, claim in record.claims]
    digest = hashlib.sha256(_encoder.encode([record.id, modified, *((p, c.decode()) for p, c in claims)])).digest()
    return _Row(record.id, modified, digest, claims)


def _next_rows(records: Iterator[Record]) -> list[_Row]:
    return list(map(_row, islice(records, BATCH)))


def _new_generation(database: sqlite_utils.Database, feed: str) -> int:
    number = database.execute("INSERT INTO generation (feed) VALUES (?)", [feed]).lastrowid
    assert number is not None  # noqa: S101 - an insertion has a row
    return number


def _insert(database: sqlite_utils.Database, generation: int, rows: Sequence[_Row]) -> None:
    database.conn.executemany(
        "REPLACE INTO advisory VALUES (?, ?, ?, ?)", ((generation, one.id, one.modified, one.digest) for one in rows)
    )
    database.conn.executemany("INSERT INTO claim VALUES (?, ?, ?, ?)", _claim_rows(generation, rows))


def _claim_rows(generation: int, rows: Sequence[_Row]) -> Iterator[tuple[int, str, str, bytes]]:
    return ((generation, project, one.id, content) for one in rows for project, content in one.claims)


def _take(database: sqlite_utils.Database, feed: str, generation: int, at: datetime) -> Snapshot:
    """Make what a generation holds the feed's present contents."""
    whole, count = hashlib.sha256(), 0
    for (digest,) in database.execute("SELECT digest FROM advisory WHERE generation = ? ORDER BY id", [generation]):
        whole.update(digest)
        count += 1
    snapshot = Snapshot(feed, whole.hexdigest(), at, count)
    database.execute(
        "INSERT INTO feed VALUES (:name, :generation, :snapshot, :state) "
        "ON CONFLICT (name) DO UPDATE SET generation = :generation, snapshot = :snapshot",
        {
            "name": feed,
            "generation": generation,
            "snapshot": _encoder.encode(snapshot),
            "state": _encoder.encode(FeedState()),
        },
    )
    return snapshot


def _delete_some(database: sqlite_utils.Database, generation: int) -> bool:
    """Delete a batch of a generation; return whether some of it is left."""
    some = database.execute("SELECT id FROM advisory WHERE generation = ? LIMIT ?", [generation, BATCH]).fetchall()
    keys = [(generation, one) for (one,) in some]
    database.conn.executemany("DELETE FROM claim WHERE generation = ? AND id = ?", keys)
    database.conn.executemany("DELETE FROM advisory WHERE generation = ? AND id = ?", keys)
    if not keys:
        database.execute("DELETE FROM generation WHERE number = ?", [generation])
    return bool(keys)


def _read_state(database: sqlite_utils.Database, feed: str) -> FeedState:
    row = database.execute("SELECT snapshot, state FROM feed WHERE name = ?", [feed]).fetchone()
    if row is None:
        return FeedState()
    content, state = row
    return replace(_state.decode(state), snapshot=None if content is None else _snapshot.decode(content))


def _write_state(database: sqlite_utils.Database, feed: str, state: FeedState) -> None:
    database.execute(
        "INSERT INTO feed (name, state) VALUES (:name, :state) ON CONFLICT (name) DO UPDATE SET state = :state",
        {"name": feed, "state": _encoder.encode(replace(state, snapshot=None))},
    )
