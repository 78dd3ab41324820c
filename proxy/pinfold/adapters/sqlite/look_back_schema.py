"""What the ledger holds to look back from changes: files that were served, what changed, and who is to hear of it.

A step that was released is never changed: a later one follows it.
"""

import sqlite_utils

from pinfold.adapters.sqlite import audit_schema

ledger = audit_schema.ledger


@ledger()
def looking_back(database: sqlite_utils.Database) -> None:
    """Create what looking back needs: the files that were served, what changed since, and alerts on their way.

    Both of the first are kept by a trigger, so that whichever process appends to the audit log cannot forget them. They
    are a convenience: who was served what is told from the audit log alone. Another policy or pin set concerns all that
    was served.
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
        CREATE TABLE evidence_change (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            cause TEXT NOT NULL,
            project TEXT,
            filename TEXT,
            sha256 TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            taken_until TEXT
        ) STRICT;
        CREATE TRIGGER entry_is_looked_back_from AFTER INSERT ON audit
        WHEN EXISTS (
            -- Nearly always there is nothing to remember, which is found out without a table to write to.
            SELECT 1 FROM audit_template AS said
            WHERE id = NEW.template AND (action <> 'file.served' OR "index" IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM served_file AS served
                WHERE served.project = said.project AND served.filename = said.filename
                    AND served.sha256 = said.sha256 AND served."index" = said."index" AND served.refused = 0
            ))
        )
        BEGIN
            INSERT INTO evidence_change (cause, project, filename, sha256)
                SELECT 'file.served while it was being refused', project, filename, sha256
                FROM audit_template AS said JOIN served_file AS served USING (project, filename, sha256, "index")
                WHERE said.id = NEW.template AND said.action = 'file.served' AND served.refused = 1;
            INSERT INTO served_file (project, filename, sha256, "index", version)
                SELECT project, filename, sha256, "index", version FROM audit_template
                WHERE id = NEW.template AND action = 'file.served' AND "index" IS NOT NULL
                    AND project IS NOT NULL AND filename IS NOT NULL AND sha256 IS NOT NULL
                ON CONFLICT DO UPDATE SET refused = 0 WHERE refused = 1;
            INSERT INTO evidence_change (cause, project, filename, sha256)
                SELECT action || coalesce(' ' || reference, ''), project, filename, sha256 FROM audit_template
                WHERE id = NEW.template AND action IN ('quarantine.add', 'quarantine.release', 'quarantine.reject',
                    'waiver.add', 'waiver.revoke', 'publisher.pin', 'publisher.accept', 'publisher.revoke');
            INSERT INTO evidence_change (cause, project)
                SELECT DISTINCT
                    action || coalesce(' in index ' || said."index", ' ' || said.reference, ''), served.project
                FROM audit_template AS said JOIN served_file AS served
                    ON said."index" IS NULL OR served."index" = said."index"
                WHERE said.id = NEW.template
                    AND action IN ('policy.changed', 'pin.import', 'pin.rollback', 'pin.remove');
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
def announcements(database: sqlite_utils.Database) -> None:
    """Create what the log last said of policies and feeds."""
    database.executescript(
        """
        CREATE TABLE announced (
            action TEXT NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (action, name)
        ) STRICT, WITHOUT ROWID;
        """
    )
