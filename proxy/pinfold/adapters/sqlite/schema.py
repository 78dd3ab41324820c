"""What the ledger and the catalog hold. A step that was released is never changed: a later one follows it.

The ledger has what people decided and what Pinfold did, which nothing can bring back; the catalog has what upstreams
said, where only the first sightings could not be asked for again.
"""

import sqlite_utils
from sqlite_utils import Migrations

from pinfold.adapters.sqlite import look_back_schema

ledger = look_back_schema.ledger
catalog = Migrations("catalog")


@ledger()
def records(database: sqlite_utils.Database) -> None:
    """Create quarantine records and waivers; `revision` tells other processes that either changed."""
    database.executescript(
        """
        CREATE TABLE revision (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            number INTEGER NOT NULL
        ) STRICT;
        INSERT INTO revision VALUES (1, 0);
        CREATE TABLE quarantine (
            id TEXT NOT NULL PRIMARY KEY,
            target_kind TEXT NOT NULL,
            target_project TEXT,
            target_text TEXT NOT NULL,
            reason TEXT NOT NULL,
            reference TEXT,
            created_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('held', 'released', 'rejected')),
            closed_by TEXT,
            closed_at TEXT,
            closing_reason TEXT
        ) STRICT;
        CREATE TABLE waiver (
            id TEXT NOT NULL PRIMARY KEY,
            target_kind TEXT NOT NULL,
            target_project TEXT,
            target_text TEXT NOT NULL,
            rule TEXT NOT NULL,
            reason TEXT NOT NULL,
            created_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            revoked_at TEXT,
            revoked_by TEXT
        ) STRICT;
        """
    )


@catalog()
def listings(database: sqlite_utils.Database) -> None:
    """Create the listings, each one compressed, and what was found out of wheels."""
    database.executescript(
        """
        CREATE TABLE listing (
            upstream TEXT NOT NULL,
            project TEXT NOT NULL,
            fetched_at TEXT NOT NULL,
            fresh_until TEXT NOT NULL,
            etag TEXT,
            last_modified TEXT,
            body BLOB NOT NULL,
            PRIMARY KEY (upstream, project)
        ) STRICT;
        CREATE TABLE wheel_metadata (
            project TEXT NOT NULL,
            wheel TEXT NOT NULL,
            metadata TEXT,
            PRIMARY KEY (project, wheel)
        ) STRICT, WITHOUT ROWID;
        """
    )


@catalog()
def provenance(database: sqlite_utils.Database) -> None:
    """Create the results of verifying provenance, and the documents; `id` grows with each result, replaced or new."""
    database.executescript(
        """
        CREATE TABLE provenance (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            filename TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            document TEXT NOT NULL,
            trust_root TEXT NOT NULL,
            checked_at TEXT NOT NULL,
            result BLOB NOT NULL,
            UNIQUE (project, filename, sha256, document, trust_root)
        ) STRICT;
        CREATE INDEX provenance_project ON provenance (project, id);
        CREATE TABLE provenance_document (
            digest TEXT NOT NULL PRIMARY KEY,
            content BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
    )


@ledger()
def publishers(database: sqlite_utils.Database) -> None:
    """Create the publishers that people pinned or accepted; `revision` tells of their changes too."""
    database.executescript(
        """
        CREATE TABLE publisher (
            id TEXT NOT NULL PRIMARY KEY,
            project TEXT NOT NULL,
            decision TEXT NOT NULL CHECK (decision IN ('pin', 'accept')),
            publisher TEXT,
            reason TEXT NOT NULL,
            created_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            revoked_at TEXT,
            revoked_by TEXT
        ) STRICT;
        """
    )


@catalog()
def reports(database: sqlite_utils.Database) -> None:
    """Create the reports on archives; `id` grows with each of them, replaced or new."""
    database.executescript(
        """
        CREATE TABLE report (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            filename TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            inspected_at TEXT NOT NULL,
            body BLOB NOT NULL,
            UNIQUE (project, filename, sha256)
        ) STRICT;
        CREATE INDEX report_project ON report (project, id);
        """
    )


@catalog()
def metadata(database: sqlite_utils.Database) -> None:
    """Create the metadata of wheels, compressed; those of one release mostly share theirs."""
    database.execute("CREATE TABLE metadata (digest TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT")


@catalog()
def metadata_of_no_wheel(database: sqlite_utils.Database) -> None:
    """Delete metadata that was replaced, and create what tells of other metadata whether a wheel still has it."""
    database.executescript(
        """
        CREATE INDEX wheel_metadata_metadata ON wheel_metadata (metadata) WHERE metadata IS NOT NULL;
        DELETE FROM metadata WHERE digest NOT IN (SELECT metadata FROM wheel_metadata WHERE metadata IS NOT NULL);
        """
    )


@ledger()
def published(database: sqlite_utils.Database) -> None:
    """Create what was published here; its own `published_revision` tells other processes that something was.

    A row is never removed: what was deleted keeps its slot, so that no file name is ever given to other bytes.
    """
    database.executescript(
        """
        CREATE TABLE published_revision (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            number INTEGER NOT NULL
        ) STRICT;
        INSERT INTO published_revision VALUES (1, 0);
        CREATE TABLE published_project (
            "index" TEXT NOT NULL,
            project TEXT NOT NULL,
            claimed_at TEXT NOT NULL,
            claimed_by TEXT NOT NULL,
            namesakes TEXT NOT NULL,
            revision INTEGER NOT NULL,
            PRIMARY KEY ("index", project)
        ) STRICT;
        CREATE TABLE published_file (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            "index" TEXT NOT NULL,
            project TEXT NOT NULL,
            slot TEXT NOT NULL,
            filename TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('wheel', 'sdist')),
            version TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            size INTEGER NOT NULL,
            uploaded_at TEXT NOT NULL,
            uploaded_by TEXT NOT NULL,
            requires_python TEXT,
            core_metadata TEXT,
            provenance BLOB,
            yanked TEXT,
            deleted_at TEXT,
            deleted_by TEXT,
            deletion_reason TEXT,
            UNIQUE ("index", slot),
            UNIQUE ("index", filename),
            FOREIGN KEY ("index", project) REFERENCES published_project ("index", project)
        ) STRICT;
        CREATE INDEX published_file_project ON published_file ("index", project);
        CREATE TRIGGER published_file_keeps_its_bytes BEFORE UPDATE OF "index", project, slot, filename, sha256
        ON published_file BEGIN
            SELECT raise(ABORT, 'a file name is never given to other bytes');
        END;
        CREATE TRIGGER published_file_stays BEFORE DELETE ON published_file BEGIN
            SELECT raise(ABORT, 'a file name is never given to other bytes');
        END;
        """
    )


@ledger()
def tokens(database: sqlite_utils.Database) -> None:
    """Create API tokens, of whose texts nothing but hashes is kept; the revision tells other processes of changes."""
    database.executescript(
        """
        CREATE TABLE token_revision (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            number INTEGER NOT NULL
        ) STRICT;
        INSERT INTO token_revision VALUES (1, 0);
        CREATE TABLE token (
            id TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('reader', 'publisher', 'auditor', 'admin')),
            indexes TEXT NOT NULL CHECK (indexes != ''),
            projects TEXT NOT NULL CHECK (projects != ''),
            sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
            created_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            expires_at TEXT,
            revoked_at TEXT,
            revoked_by TEXT,
            last_used_at TEXT
        ) STRICT;
        """
    )


@ledger()
def pins(database: sqlite_utils.Database) -> None:
    """Create the versions of pin sets, each with all that it pins; a version is never changed, not even by mistake."""
    database.executescript(
        """
        CREATE TABLE pin_set (
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            act TEXT NOT NULL CHECK (act IN ('import', 'rollback', 'remove')),
            created_by TEXT NOT NULL,
            created_at TEXT NOT NULL,
            sources TEXT NOT NULL,
            files INTEGER NOT NULL,
            digest TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (name, number)
        ) STRICT;
        CREATE TRIGGER pin_set_is_not_changed BEFORE UPDATE ON pin_set BEGIN
            SELECT raise(ABORT, 'versions of pin sets only come on top');
        END;
        CREATE TRIGGER pin_set_is_not_deleted BEFORE DELETE ON pin_set BEGIN
            SELECT raise(ABORT, 'versions of pin sets only come on top');
        END;
        """
    )


@ledger()
def identities(database: sqlite_utils.Database) -> None:
    """Create what was shown for short-lived tokens, and whose repositories it was shown for."""
    database.executescript(
        """
        CREATE TABLE exchanged_identity (
            issuer TEXT NOT NULL,
            token_id TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            PRIMARY KEY (issuer, token_id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE trusted_repository (
            issuer TEXT NOT NULL,
            name TEXT NOT NULL,
            kind TEXT NOT NULL,
            spelling TEXT NOT NULL,
            workflow TEXT NOT NULL,
            repository_id TEXT NOT NULL,
            owner_id TEXT NOT NULL,
            PRIMARY KEY (issuer, name)
        ) STRICT, WITHOUT ROWID;
        """
    )


@ledger()
def names_in_use(database: sqlite_utils.Database) -> None:
    """Create the names of the projects that files were served of, by index, in the order in which they came into use.

    What a lax index serves makes no name known to a strict one.
    """
    database.executescript(
        """
        CREATE TABLE project_in_use (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            "index" TEXT NOT NULL,
            project TEXT NOT NULL,
            UNIQUE ("index", project)
        ) STRICT;
        CREATE TRIGGER project_comes_into_use AFTER INSERT ON served_file
        WHEN NOT EXISTS (SELECT 1 FROM project_in_use WHERE "index" = NEW."index" AND project = NEW.project) BEGIN
            INSERT INTO project_in_use ("index", project) VALUES (NEW."index", NEW.project);
        END;
        """
    )
