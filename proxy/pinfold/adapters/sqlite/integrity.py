"""Whether a SQLite file is sound, asked beside the processes that work on it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pinfold.adapters.sqlite.errors import store_errors

MOST = 5
"""How many of a damaged file's problems are told."""


def find_damage(path: Path) -> list[str]:
    """Return what SQLite's quick check finds wrong in a file; blocking, and raises StoreError as every use would."""
    with store_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MOST})")]
    return [] if found == ["ok"] else found
