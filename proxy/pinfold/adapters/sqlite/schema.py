"""What the two files hold. A step that was released is never changed: a later one follows it.

The ledger has what people decided and what Pinfold did, which nothing can bring back; the catalog has what upstreams
said, where only the first sightings could not be asked for again.
"""

import sqlite_utils
from sqlite_utils import Migrations

ledger = Migrations("ledger")
catalog = Migrations("catalog")


@ledger()
def audit_log(database: sqlite_utils.Database) -> None:
    """Create the audit log: the canonical bytes of each entry, with copies of what is searched for."""
    database.executescript(
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY,
            time TEXT NOT NULL,
            action TEXT NOT NULL,
            actor TEXT NOT NULL,
            address TEXT,
            "index" TEXT,
            project TEXT,
            version TEXT,
            filename TEXT,
            sha256 TEXT,
            decision TEXT,
            rule TEXT,
            reference TEXT,
            body BLOB NOT NULL
        ) STRICT;
        CREATE INDEX audit_time ON audit (time);
        CREATE INDEX audit_action ON audit (action);
        CREATE INDEX audit_actor ON audit (actor);
        CREATE INDEX audit_address ON audit (address) WHERE address IS NOT NULL;
        CREATE INDEX audit_project ON audit (project) WHERE project IS NOT NULL;
        CREATE INDEX audit_filename ON audit (filename) WHERE filename IS NOT NULL;
        CREATE INDEX audit_sha256 ON audit (sha256) WHERE sha256 IS NOT NULL;
        CREATE INDEX audit_decision ON audit (decision) WHERE decision IS NOT NULL;
        CREATE INDEX audit_rule ON audit (rule) WHERE rule IS NOT NULL;
        CREATE INDEX audit_reference ON audit (reference) WHERE reference IS NOT NULL;
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        """
    )


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


@ledger()
def audit_questions(database: sqlite_utils.Database) -> None:
    """Index what else entries are searched for; a release's entries are found by project and version together."""
    database.executescript(
        """
        CREATE INDEX audit_index ON audit ("index") WHERE "index" IS NOT NULL;
        CREATE INDEX audit_version ON audit (version) WHERE version IS NOT NULL;
        CREATE INDEX audit_release ON audit (project, version) WHERE project IS NOT NULL;
        """
    )


@ledger()
def audit_tree(database: sqlite_utils.Database) -> None:
    """Create what proves the audit log: its tree as tiles, signed checkpoints of it, and how far it was pruned.

    Entries can be deleted up to the mark, which only rises; that it rose rightly is an entry's to say, and the
    verification's to check. The tree over entries that are there already is built when the key is made.
    """
    database.executescript(
        """
        CREATE TABLE audit_tile (
            level INTEGER NOT NULL,
            "index" INTEGER NOT NULL,
            hashes BLOB NOT NULL,
            PRIMARY KEY (level, "index")
        ) STRICT;
        CREATE TABLE audit_checkpoint (
            size INTEGER PRIMARY KEY,
            note BLOB NOT NULL,
            ends_key INTEGER NOT NULL CHECK (ends_key IN (0, 1))
        ) STRICT;
        CREATE INDEX audit_key_changes ON audit_checkpoint (size) WHERE ends_key;
        CREATE TABLE audit_state (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            first_key TEXT NOT NULL,
            present_key TEXT NOT NULL,
            pruned INTEGER NOT NULL
        ) STRICT;
        DROP TRIGGER audit_is_not_deleted;
        CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
        WHEN OLD.seq > coalesce((SELECT pruned FROM audit_state), 0) BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_is_not_restored BEFORE UPDATE OF pruned ON audit_state
        WHEN NEW.pruned < OLD.pruned BEGIN
            SELECT raise(ABORT, 'what was pruned from the audit log does not come back');
        END;
        """
    )


@ledger()
def evidence(database: sqlite_utils.Database) -> None:
    """Create the evidence that decisions were made on: each piece once, under the digest that entries refer to."""
    database.executescript(
        """
        CREATE TABLE evidence (
            digest TEXT NOT NULL PRIMARY KEY,
            body BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
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


@ledger()
def looking_back(database: sqlite_utils.Database) -> None:
    """Create what looking back needs: the files that were served, what changed since, and alerts on their way.

    Both of the first are kept by triggers, so that whichever process appends to the audit log cannot forget them. They
    are a convenience: who was served what is told from the audit log alone.
    """
    database.executescript(
        """
        CREATE TABLE served_file (
            project TEXT NOT NULL,
            filename TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            "index" TEXT NOT NULL,
            version TEXT,
            refused INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1)),
            PRIMARY KEY (project, filename, sha256, "index")
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX served_file_filename ON served_file (filename);
        CREATE INDEX served_file_sha256 ON served_file (sha256);
        INSERT OR IGNORE INTO served_file (project, filename, sha256, "index", version)
            SELECT project, filename, sha256, "index", version FROM audit
            WHERE action = 'file.served' AND project IS NOT NULL AND filename IS NOT NULL AND sha256 IS NOT NULL
                AND "index" IS NOT NULL;
        CREATE TABLE evidence_change (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            cause TEXT NOT NULL,
            project TEXT,
            filename TEXT,
            sha256 TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            taken_until TEXT
        ) STRICT;
        CREATE TRIGGER served_file_is_remembered AFTER INSERT ON audit
        WHEN NEW.action = 'file.served' AND NEW.project IS NOT NULL AND NEW.filename IS NOT NULL
            AND NEW.sha256 IS NOT NULL AND NEW."index" IS NOT NULL
        BEGIN
            INSERT INTO evidence_change (cause, project, filename, sha256)
                SELECT 'file.served while it was being refused', project, filename, sha256 FROM served_file
                WHERE project = NEW.project AND filename = NEW.filename AND sha256 = NEW.sha256
                    AND "index" = NEW."index" AND refused = 1;
            INSERT INTO served_file (project, filename, sha256, "index", version)
                VALUES (NEW.project, NEW.filename, NEW.sha256, NEW."index", NEW.version)
                ON CONFLICT DO UPDATE SET refused = 0 WHERE refused = 1;
        END;
        CREATE TRIGGER record_changes_evidence AFTER INSERT ON audit
        WHEN NEW.action IN ('quarantine.add', 'quarantine.release', 'quarantine.reject', 'waiver.add', 'waiver.revoke',
            'publisher.pin', 'publisher.accept', 'publisher.revoke')
        BEGIN
            INSERT INTO evidence_change (cause, project, filename, sha256)
                VALUES (NEW.action || coalesce(' ' || NEW.reference, ''), NEW.project, NEW.filename, NEW.sha256);
        END;
        CREATE TABLE alert_delivery (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            receiver TEXT NOT NULL,
            alert TEXT NOT NULL,
            body TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            next_at TEXT NOT NULL,
            error TEXT,
            dead INTEGER NOT NULL DEFAULT 0 CHECK (dead IN (0, 1))
        ) STRICT;
        CREATE INDEX alert_delivery_due ON alert_delivery (receiver, next_at) WHERE NOT dead;
        """
    )


@ledger()
def audit_verdicts(database: sqlite_utils.Database) -> None:
    """Store sets of verdicts once; `audit_entry` has the whole canonical bytes of the entries that refer to them."""
    database.executescript(
        """
        CREATE TABLE audit_verdicts (
            id INTEGER PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE,
            text BLOB NOT NULL
        ) STRICT;
        ALTER TABLE audit ADD COLUMN verdicts INTEGER;
        ALTER TABLE audit ADD COLUMN verdicts_at INTEGER;
        CREATE VIEW audit_entry AS
            SELECT seq, time, action, actor, address, "index", project, version, filename, sha256, decision, rule,
                reference,
                iif(verdicts IS NULL, body, CAST(
                    substr(body, 1, verdicts_at) || coalesce(text, '') || substr(body, verdicts_at + 1)
                AS BLOB)) AS body
            FROM audit LEFT JOIN audit_verdicts ON id = verdicts;
        """
    )
