"""What the ledger holds of the audit log: entries, the evidence that they were decided on, and what proves them.

A step that was released is never changed: a later one follows it.
"""

import sqlite_utils
from sqlite_utils import Migrations

ledger = Migrations("ledger")


@ledger()
def audit_entries_and_templates(database: sqlite_utils.Database) -> None:
    """Create the audit log: of each entry what differs from request to request, and once what recurs.

    The view `audit_entry` has the whole canonical bytes, and copies of what is searched for. The index
    `audit_of_template` has a template's entries in their order, with all that a count of requests needs. What nearly
    every entry has in common is not indexed: whoever looks for that finds it among the latest entries.
    """
    database.executescript(
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY,
            time TEXT NOT NULL,
            template INTEGER NOT NULL,
            client INTEGER NOT NULL,
            evidence INTEGER
        ) STRICT;
        CREATE TABLE audit_template (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            digest BLOB NOT NULL UNIQUE,
            text BLOB NOT NULL,
            verdicts INTEGER,
            action TEXT NOT NULL,
            "index" TEXT,
            project TEXT,
            version TEXT,
            filename TEXT,
            sha256 TEXT,
            decision TEXT,
            rule TEXT,
            reference TEXT,
            unchanged INTEGER
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
                reference, unchanged, iif(audit.evidence IS NULL, NULL, ifnull(evidence.digest, x'')) AS evidence,
                CAST(
                    replace(replace(replace(replace(
                        ifnull(CAST(template.text AS TEXT), ''),
                        char(4), ifnull(CAST(verdicts.text AS TEXT), '')),
                        char(1), ifnull(CAST(client.text AS TEXT), '')),
                        char(2), ifnull('"' || lower(hex(evidence.digest)) || '"', '')),
                        char(3), time)
                    || ',"seq":' || seq || ',"v":1}'
                AS BLOB) AS body
            FROM audit
                LEFT JOIN audit_template AS template ON template.id = audit.template
                LEFT JOIN audit_client AS client ON client.id = audit.client
                LEFT JOIN audit_verdicts AS verdicts ON verdicts.id = template.verdicts
                LEFT JOIN evidence ON evidence.id = audit.evidence;
        CREATE INDEX audit_time ON audit (time);
        CREATE INDEX audit_of_template ON audit (template, seq, client, time);
        CREATE INDEX audit_of_client ON audit (client);
        CREATE INDEX audit_template_action ON audit_template (action) WHERE action <> 'file.served';
        CREATE INDEX audit_template_index ON audit_template ("index") WHERE "index" IS NOT NULL;
        CREATE INDEX audit_template_project ON audit_template (project, version) WHERE project IS NOT NULL;
        CREATE INDEX audit_template_version ON audit_template (version) WHERE version IS NOT NULL;
        CREATE INDEX audit_template_filename ON audit_template (filename) WHERE filename IS NOT NULL;
        CREATE INDEX audit_template_sha256 ON audit_template (sha256) WHERE sha256 IS NOT NULL;
        CREATE INDEX audit_template_decision ON audit_template (decision) WHERE decision <> 'allow';
        CREATE INDEX audit_template_rule ON audit_template (rule) WHERE rule IS NOT NULL;
        CREATE INDEX audit_template_reference ON audit_template (reference) WHERE reference IS NOT NULL;
        CREATE INDEX audit_client_actor ON audit_client (actor);
        CREATE INDEX audit_client_address ON audit_client (address);
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_client_is_not_changed BEFORE UPDATE ON audit_client BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        CREATE TRIGGER audit_template_is_not_changed BEFORE UPDATE ON audit_template BEGIN
            SELECT raise(ABORT, 'the audit log only grows');
        END;
        """
    )


@ledger()
def audit_proofs(database: sqlite_utils.Database) -> None:
    """Create what proves the audit log: its tree as tiles, signed checkpoints of it, and how far it was pruned.

    And how far journals were taken up, in bytes.

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


@ledger()
def journals_that_are_gone(database: sqlite_utils.Database) -> None:
    """Create what was taken up of journals that are gone, in a chain that `audit_places` tells of."""
    database.executescript(
        """
        CREATE TABLE audit_journal_gone (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            taken_up INTEGER NOT NULL,
            head BLOB NOT NULL
        ) STRICT;
        CREATE INDEX audit_journal_gone_name ON audit_journal_gone (name);
        """
    )
