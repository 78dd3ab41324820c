"""Opens the ledger: the file with the audit log, and what every change of it goes with."""

import asyncio
from pathlib import Path

import sqlite_utils

from pinfold.adapters.filesystem.journal import sweep
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.audit_journal import folder_of, take_up
from pinfold.adapters.sqlite.audit_tree import AuditTree
from pinfold.adapters.sqlite.database import Database


async def open_ledger(path: Path, keys: SigningKeys) -> tuple[Database, AuditTree]:
    """Open or create the ledger with the tree over its audit log, and the key where there is none.

    What journals hold, of processes that died too, is taken up. Raises StoreError also where the log's end does not fit
    what was signed.
    """
    tree = AuditTree(keys)
    ledger = await Database.open(path, schema.ledger, durable=True, seal=_Seal(tree, folder_of(path)))
    try:
        await asyncio.to_thread(sweep, folder_of(path))
        await ledger.write(lambda _: None)
    except BaseException:
        await ledger.close()
        raise
    return ledger, tree


class _Seal:
    """Has what was recorded before a change precede it in the log, and everything signed together."""

    def __init__(self, tree: AuditTree, journals: Path) -> None:
        self._tree = tree
        self._journals = journals

    def begin(self, database: sqlite_utils.Database) -> None:
        """Look at the log's end, and take up what journals hold."""
        self._tree.begin(database)
        self._tree.grow(database, take_up(database, self._journals))

    def end(self, database: sqlite_utils.Database) -> None:
        """Add what was appended to the tree, and sign it."""
        self._tree.end(database)
