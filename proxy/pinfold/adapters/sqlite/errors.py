"""SQLite's errors in words that help whoever runs Pinfold."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinfold.adapters.threads import Closed
from pinfold.domain.errors import StoreError

_DAMAGED = "is damaged: stop Pinfold and restore it from a backup, or move it away to begin an empty one"
_ADVICE = {
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full; free some space",
    sqlite3.SQLITE_IOERR: "cannot be read or written: look at the disk's health, its quota and its free space",
    sqlite3.SQLITE_READONLY: "is read-only: Pinfold's user needs to write the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: Pinfold's user needs to read and write the file and its directory",
    sqlite3.SQLITE_PERM: "cannot be opened: Pinfold's user needs to read and write the file and its directory",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: "is locked for too long: look for a backup or a database tool that holds it",
}


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn every error of SQLite and of the file system into a StoreError that names the file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the kind of error; the rest tells which system call it came from.
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = _ADVICE.get(kind, "failed")
        raise StoreError(f"{path} {advice} ({error})") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{path} cannot keep a text that is not Unicode: {error}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read or written: {error.strerror or error}") from error
    except Closed as error:
        raise StoreError(f"{path} takes no more work: {error}") from error
