"""What the file of the advisory feeds holds, which could all be fetched again. A released step is never changed."""

import sqlite_utils
from sqlite_utils import Migrations

feeds = Migrations("feeds")


@feeds()
def advisories(database: sqlite_utils.Database) -> None:
    """Create the feeds. Each whole one is a generation; a feed's present one is what its row names.

    Claims stand under the project that they are about, so that a page takes one look-up.
    """
    database.executescript(
        """
        CREATE TABLE generation (number INTEGER PRIMARY KEY AUTOINCREMENT, feed TEXT NOT NULL) STRICT;
        CREATE TABLE feed (
            name TEXT NOT NULL PRIMARY KEY,
            generation INTEGER,
            snapshot BLOB,
            state BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE advisory (
            generation INTEGER NOT NULL,
            id TEXT NOT NULL,
            modified TEXT NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (generation, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE claim (
            generation INTEGER NOT NULL,
            project TEXT NOT NULL,
            id TEXT NOT NULL,
            content BLOB NOT NULL
        ) STRICT;
        CREATE INDEX claim_project ON claim (generation, project, id);
        CREATE INDEX claim_id ON claim (generation, id);
        """
    )
