"""What the ledger holds of the audit log: entries, the evidence that they were decided on, and what proves them.

A step that was released is never changed: a later one follows it.
"""

import sqlite_utils
from sqlite_utils import Migrations

ledger = Migrations("ledger")


@ledger()
def audit_entries_and_parts(database: sqlite_utils.Database) -> None:
    """Create the audit log: what is stored of each entry, with copies of what is searched for.

    The view `audit_entry` has the whole canonical bytes. Clients and files are stored, and indexed, once each.
    The index `audit_of_file` has a file's entries in their order, with all that a count of requests needs. What nearly
    every entry has in common is not indexed: whoever looks for that finds it among the latest entries.
    """
    database.executescript(
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY,
            time TEXT NOT NULL,
            action TEXT NOT NULL,
            "index" TEXT,
            decision TEXT,
            rule TEXT,
            reference TEXT,
            unchanged INTEGER,
            evidence INTEGER,
            file INTEGER,
            client INTEGER,
            client_at INTEGER,
            verdicts INTEGER,
            verdicts_at INTEGER,
            body BLOB NOT NULL
        ) STRICT;
        CREATE TABLE audit_file (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            project TEXT,
            version TEXT,
            filename TEXT,
            sha256 TEXT
        ) STRICT;
        CREATE TABLE audit_client (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            text BLOB NOT NULL,
            actor TEXT NOT NULL,
            address TEXT
        ) STRICT;
        CREATE TABLE audit_verdicts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            text BLOB NOT NULL
        ) STRICT;
        CREATE TABLE evidence (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            parts TEXT NOT NULL
        ) STRICT;
        CREATE TABLE evidence_part (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            body BLOB NOT NULL
        ) STRICT;
        CREATE VIEW audit_entry AS
            SELECT seq, time, action, actor, address, "index", project, version, filename, sha256, decision, rule,
                reference, unchanged, file.id IS NOT NULL AS file,
                iif(
                    audit.evidence IS NULL, NULL,
                    ifnull((SELECT digest FROM evidence WHERE evidence.id = audit.evidence), x'')
                ) AS evidence,
                CAST(
                    substr(body, 1, ifnull(client_at, 0)) || ifnull(client.text, '') ||
                    substr(body, ifnull(client_at, 0) + 1, ifnull(verdicts_at, length(body)) - ifnull(client_at, 0)) ||
                    ifnull(verdicts.text, '') || substr(body, ifnull(verdicts_at, length(body)) + 1)
                AS BLOB) AS body
            FROM audit
                LEFT JOIN audit_file AS file ON file.id = audit.file
                LEFT JOIN audit_client AS client ON client.id = audit.client
                LEFT JOIN audit_verdicts AS verdicts ON verdicts.id = audit.verdicts;
        CREATE INDEX audit_time ON audit (time);
        CREATE INDEX audit_action ON audit (action) WHERE action <> 'file.served';
        CREATE INDEX audit_decision ON audit (decision) WHERE decision <> 'allow';
        CREATE INDEX audit_rule ON audit (rule) WHERE rule IS NOT NULL;
        CREATE INDEX audit_reference ON audit (reference) WHERE reference IS NOT NULL;
        CREATE INDEX audit_index ON audit ("index") WHERE "index" IS NOT NULL;
        CREATE INDEX audit_of_file ON audit (file, seq, client, action, "index", unchanged, time);
        CREATE INDEX audit_of_client ON audit (client);
        CREATE INDEX audit_client_actor ON audit_client (actor);
        CREATE INDEX audit_client_address ON audit_client (address);
        CREATE INDEX audit_file_project ON audit_file (project, version);
        CREATE INDEX audit_file_version ON audit_file (version);
        CREATE INDEX audit_file_filename ON audit_file (filename);
        CREATE INDEX audit_file_sha256 ON audit_file (sha256);
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_client_is_not_changed BEFORE UPDATE ON audit_client BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_file_is_not_changed BEFORE UPDATE ON audit_file BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        """
    )


@ledger()
def audit_proofs(database: sqlite_utils.Database) -> None:
    """Create what proves the audit log: its tree as tiles, signed checkpoints of it, and how far it was pruned.

    And how far journals were taken up, in bytes. These rows stay, so that a journal which comes back, from a backup or
    after the loss of power, is not taken up twice.

    Entries can be deleted up to the mark, which only rises; that it rose rightly is an entry's to say, and the
    verification's to check.
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
        CREATE TABLE audit_journal (
            name TEXT PRIMARY KEY,
            taken_up INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
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
