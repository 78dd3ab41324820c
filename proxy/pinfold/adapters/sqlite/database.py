"""One SQLite file that several processes share, used from a running event loop without ever blocking it."""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import LifoQueue
from time import monotonic, sleep
from typing import Any, Protocol, TypeVar

import sqlite_utils
from sqlite_utils import Migrations

from pinfold import __version__
from pinfold.adapters.sqlite.errors import store_errors
from pinfold.adapters.threads import Closed, Threads, tell
from pinfold.domain.errors import StoreError
from pinfold.usecases.present import Present

T = TypeVar("T")
Work = Callable[[sqlite_utils.Database], T]

LOCK_SECONDS = 10
"""How long a transaction waits for another process's."""
READERS = 3
CHECKPOINT_BYTES = 16 * 1024 * 1024
"""How far the write-ahead log grows before it is copied into the file."""
_CHECKPOINT_LOCK_SECONDS = 2
_POLL = "PRAGMA busy_timeout=5"
"""How long the writer's connection waits by itself, in milliseconds; then `_as_soon_as_free` asks again."""
_BEGIN_CHANGE, _UNDO_CHANGE, _END_CHANGE = (
    f"{verb} pinfold_change" for verb in ("SAVEPOINT", "ROLLBACK TO", "RELEASE")
)
"""Of one name for all, so that SQLite has to read each of them once."""
_READER_CACHE = "cache_size=-512"
"""KiB of the file's pages that a reader keeps, a quarter of SQLite's own choice: the system keeps them all the same."""
PASSING_SECONDS = 0.05
"""How long what may be written in passing waits for something that may not."""
_GROUP_SECONDS = 0.05
"""How long a group of changes may keep other processes waiting for the lock, but for its last change."""


class Seal(Protocol):
    """What has a part in every transaction that writes a file, whatever else is written in it.

    Where it raises, nothing of the transaction remains.
    """

    def begin(self, database: sqlite_utils.Database) -> None:
        """Look at what is there before anything is written."""
        ...

    def end(self, database: sqlite_utils.Database) -> None:
        """Add what goes with what was written, before it is committed."""
        ...


class Database:
    """An open SQLite file: a few readers, each with a snapshot of its own, and one writer.

    What waits to be written when a transaction begins becomes part of it: one fsync, however many requests wait for it.
    Every method raises StoreError when the file fails, and lets other errors of the work through.
    """

    def __init__(
        self,
        path: Path,
        schema: Migrations,
        *,
        durable: bool,
        seal: Seal | None = None,
        present: Present | None = None,
    ) -> None:
        """Open or create a file; blocking. What is durable survives the loss of power, not only of the process."""
        self.path = path
        self.present = Present() if present is None else present
        """What stores over the file tell of all that they see change."""
        self._log = path.with_name(f"{path.name}-wal")
        self._seal = seal
        self._waiting: deque[_Change] = deque()
        self._checkpoint_at = CHECKPOINT_BYTES
        self._idle: LifoQueue[sqlite_utils.Database] = LifoQueue()
        self._connections: list[sqlite_utils.Database] = []
        try:
            with store_errors(path):
                _create(path)
                self._main = self._connect(f"synchronous={'FULL' if durable else 'NORMAL'}", "wal_autocheckpoint=0")
                self._main.execute(_POLL)
                _share(self._main, path)
                _migrate(self._main, path, schema)
                for _ in range(READERS):
                    self._idle.put(self._connect("query_only=ON", _READER_CACHE))
        except StoreError:
            self._close_connections()
            raise
        self._writer = Threads(1, f"{path.stem}-writer")
        self._readers = Threads(READERS, f"{path.stem}-reader")

    @classmethod
    async def open(
        cls,
        path: Path,
        schema: Migrations,
        *,
        durable: bool,
        seal: Seal | None = None,
        present: Present | None = None,
    ) -> "Database":
        """Open or create a file and bring its schema up to date."""
        return await asyncio.to_thread(cls, path, schema, durable=durable, seal=seal, present=present)

    async def read(self, work: Work[T]) -> T:
        """Run a function that only reads, on one snapshot of the file."""
        with store_errors(self.path):
            return await self._readers.run(partial(self._read, work))

    async def write(self, work: Work[T], *, in_passing: bool = False) -> T:
        """Run a function in a transaction, and return what it returns once that is committed.

        Where the function raises, nothing of it remains. It shares the transaction with others that wait, each behind
        a savepoint of its own. A caller that is cancelled does not learn whether its change was made.

        What nobody waits for may be written `in_passing`: with the next change that comes, or after a while alone. A
        transaction costs more than most of what is written in it.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        change = _Change(work, answer)
        self._waiting.append(change)
        if in_passing:
            await asyncio.wait([answer], timeout=PASSING_SECONDS)
        with store_errors(self.path):
            if not answer.done():
                self._commit_soon(change)
            return await answer

    async def close(self) -> None:
        """Finish what was begun, refuse what comes later, and close the file."""
        if self._waiting:
            with suppress(Closed):
                self._writer.begin(self._commit_waiting)
        await asyncio.to_thread(self._close)

    def _read(self, work: Work[T]) -> T:
        reader = self._idle.get()
        try:
            reader.execute("BEGIN")
            return work(reader)
        finally:
            reader.rollback()
            self._idle.put(reader)

    def _commit_soon(self, change: "_Change") -> None:
        try:
            self._writer.begin(self._commit_waiting)
        except Closed:
            # What was begun before may still take it up.
            with suppress(ValueError):
                self._waiting.remove(change)
            raise

    def _commit_waiting(self) -> None:
        # What was to be written in passing took the place of what would be left, and has nobody begin anything more.
        while self._commit_group():
            pass

    def _commit_group(self) -> bool:
        """Commit what waits, and return whether some of it is left."""
        group: list[_Change] = []
        waiting = 0
        try:
            if self._waiting:
                _begin(self._main)
                # What comes later may rest on what the seal does not see any more.
                waiting = len(self._waiting)
                if self._seal is not None:
                    self._seal.begin(self._main)
                self._apply(waiting, group)
                if self._seal is not None:
                    self._seal.end(self._main)
                self._main.commit()
        except Exception as error:  # noqa: BLE001 - somebody waits for every change, whatever happens to it
            # Those who still wait would meet the same failure, one after the other, each after its own long wait.
            for change in (*group, *self._take_all()):
                change.fail(error)
            self._main.rollback()
            return False
        for change in group:
            change.settle()
        self._checkpoint_if_due()
        return len(group) < waiting

    def _apply(self, waiting: int, group: list["_Change"]) -> None:
        until = monotonic() + _GROUP_SECONDS
        for _ in range(waiting):
            if monotonic() > until:
                return
            change = self._waiting.popleft()
            group.append(change)
            change.apply(self._main)

    def _take_all(self) -> list["_Change"]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _checkpoint_if_due(self) -> None:
        # SQLite before 3.51.3 can lose committed transactions when a commit restarts the write-ahead log during
        # another connection's passive checkpoint, the automatic kind (sqlite.org/wal.html, "the WAL-reset bug"). A
        # truncating checkpoint holds the write lock, so that no commit can come between.
        try:
            if self._log.stat().st_size < self._checkpoint_at:
                return
            self._main.execute(f"PRAGMA busy_timeout={_CHECKPOINT_LOCK_SECONDS * 1000}")
            try:
                self._main.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self._main.execute(_POLL)
            # Where a long read kept the log from being emptied, the next attempt waits for it to grow as much again.
            self._checkpoint_at = self._log.stat().st_size + CHECKPOINT_BYTES
        except (sqlite3.Error, OSError):
            # The commit is safe in the log; a file that really fails will fail the next transaction.
            return

    def _connect(self, *settings: str) -> sqlite_utils.Database:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        database = sqlite_utils.Database(connection, execute_plugins=False)
        self._connections.append(database)
        for setting in ("foreign_keys=ON", "trusted_schema=OFF", "temp_store=MEMORY", *settings):
            database.execute(f"PRAGMA {setting}")
        return database

    def _close(self) -> None:
        self._writer.close()
        self._readers.close()
        self._close_connections()

    def _close_connections(self) -> None:
        # The writer goes last: the last to close the file empties the write-ahead log into it.
        for connection in reversed(self._connections):
            connection.close()


class _Change:
    """Something to be written, and the answer that somebody waits for."""

    def __init__(self, work: Work[Any], answer: asyncio.Future[Any]) -> None:
        self._answer = answer
        self._work = work
        self._result: Any = None
        self._error: Exception | None = None

    def apply(self, database: sqlite_utils.Database) -> None:
        """Run the work behind a savepoint; raise only where the whole transaction is lost with it."""
        database.execute(_BEGIN_CHANGE)
        try:
            self._result = self._work(database)
        except Exception as error:
            if not database.conn.in_transaction:
                raise
            database.execute(_UNDO_CHANGE)
            self._error = error
        database.execute(_END_CHANGE)

    def settle(self) -> None:
        """Answer, after the commit."""
        tell(self._answer, self._result, self._error)

    def fail(self, error: Exception) -> None:
        """Answer that nothing was written."""
        tell(self._answer, None, self._error or error)


def _create(path: Path) -> None:
    """Create an empty file that only its owner can read; SQLite gives the files beside it the same permissions."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _share(database: sqlite_utils.Database, path: Path) -> None:
    """Keep a write-ahead log, which lets several processes read while one writes."""
    # Of processes that begin with a new file at once, SQLite tells all but one at once that it is locked.
    _as_soon_as_free(database.enable_wal)
    if database.journal_mode != "wal":
        raise StoreError(f"{path} cannot have a write-ahead log: the data directory has to be on a local disk")


def _begin(database: sqlite_utils.Database) -> None:
    """Begin a transaction that may write, as soon as no other process has one.

    SQLite's own waiting soon sleeps 100 ms at a time, and then misses most of the gaps that a busy process leaves.
    """
    _as_soon_as_free(partial(database.execute, "BEGIN IMMEDIATE"))


def _as_soon_as_free(work: Callable[[], object]) -> None:
    """Do again what other processes' locks keep from being done, until it is done or they have had LOCK_SECONDS."""
    until = monotonic() + LOCK_SECONDS
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            # Not every lock is waited for by SQLite.
            sleep(0.001)
        else:
            return


def _migrate(database: sqlite_utils.Database, path: Path, schema: Migrations) -> None:
    """Bring a file's schema up to date, as one transaction, so that processes that start at once do it once."""
    _begin(database)
    with database.conn:
        database.execute("CREATE TABLE IF NOT EXISTS written_by (pinfold TEXT NOT NULL) STRICT")
        with sqlite_utils.Database(memory=True) as empty:
            known = {step.name for step in schema.pending(empty)}
        if not known.issuperset(step.name for step in schema.applied(database)):
            writer = database.execute("SELECT pinfold FROM written_by ORDER BY rowid DESC").fetchone()
            raise StoreError(
                f"{path} was written by Pinfold {writer[0] if writer else 'of a later version'}, which this Pinfold "
                f"{__version__} is too old for: run that version, or restore the backup from before the upgrade"
            )
        if schema.pending(database):
            schema.apply(database)
            database.execute("INSERT INTO written_by VALUES (?)", [__version__])
