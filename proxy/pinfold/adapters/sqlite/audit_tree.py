"""The tree over the audit log: it grows in the transactions that the entries are appended in, and is signed in them."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import sqlite_utils

from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.adapters.sqlite import audit_places
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.merkle import CompactRange, leaf_hash
from pinfold.audit.note import Signer, Verifier
from pinfold.audit.tiles import WIDTH, TileNodes, grow
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import InvalidNote, StoreError

ADVICE = "pinfold audit verify tells what was changed"
_PORTION = 64 * WIDTH
"""Entries that are added to the tree at once, where many were there before it."""


class Tiles:
    """The tiles in the ledger, as far as a connection sees them."""

    def __init__(self, database: sqlite_utils.Database) -> None:
        self._database = database

    def tile(self, level: int, index: int) -> bytes:
        """Return a tile as far as it is filled; empty where it is not kept."""
        row = self._database.execute(
            'SELECT hashes FROM audit_tile WHERE level = ? AND "index" = ?', [level, index]
        ).fetchone()
        return bytes(row[0]) if row else b""


class AuditTree:
    """Adds what was appended to the tree, and signs a checkpoint: once a transaction, however many entries it has.

    Another process may have appended in between, so that each transaction begins with a look at the latest checkpoint.
    Nothing is appended to a log whose end was tampered with: a signature would vouch for it.
    """

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._signer: Signer | None = None
        self._tree = CompactRange()
        """As it was signed last."""
        self._note = b""
        self._grown = CompactRange()
        """As it will be signed next."""

    @property
    def verifier(self) -> Verifier:
        """The public key of the latest transaction; raises StoreError before there was one."""
        if self._signer is None:
            raise StoreError("the audit log was not looked at yet")
        return self._signer.verifier

    def begin(self, database: sqlite_utils.Database) -> None:
        """Take up the tree where the latest transaction left it; make the first key where there is none."""
        self._follow(database)
        (last,) = database.execute("SELECT max(seq) FROM audit").fetchone()
        if (last or 0) != self._tree.size:
            raise StoreError(
                f"the audit log ends with entry {last or 0}, and {self._tree.size} were logged: {ADVICE}; restore the "
                "ledger from a backup"
            )
        self._grown = self._tree.copy()

    def grow(self, database: sqlite_utils.Database, leaves: Sequence[bytes]) -> None:
        """Add entries that were appended, by their hashes; what else was appended is hashed in the end."""
        changed = grow(self._grown.size, leaves, Tiles(database))
        database.conn.executemany(
            "REPLACE INTO audit_tile VALUES (?, ?, ?)", [(*key, hashes) for key, hashes in changed.items()]
        )
        self._grown.extend(leaves)

    def end(self, database: sqlite_utils.Database) -> None:
        """Add what was appended, and sign."""
        signer = self._follow(database)
        tree = self._caught_up(database)
        if tree.size > self._tree.size:
            self._keep(database, tree, _checkpoint(database, signer, tree).sign(signer))

    def rotate(self, database: sqlite_utils.Database, entry: Entry) -> tuple[Verifier, Verifier]:
        """Replace the key by a new one, and return both; the entry about it is the last that the old key signs."""
        old = self._follow(database)
        new = self._keys.create(old.name)
        details = {**entry.details, "old": str(old.verifier), "new": str(new.verifier)}
        append_entry(database, replace(entry, details=details))
        tree = self._caught_up(database)
        database.execute("UPDATE audit_state SET present_key = ?", [str(new.verifier)])
        self._keep(database, tree, _checkpoint(database, old, tree).sign_as_last(old, new), ends_key=True)
        self._signer = new
        return old.verifier, new.verifier

    def forget(self, replaced: Verifier) -> None:
        """Destroy the private key of a public one that was replaced; blocking."""
        self._keys.discard(replaced)

    def _follow(self, database: sqlite_utils.Database) -> Signer:
        """Make sure that the tree is as the latest checkpoint has it, and return who signs the next one."""
        latest = database.execute("SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        if self._signer is None or latest is None or latest[1] != self._note:
            self._signer = self._resume(database, *latest) if latest else self._found(database)
        return self._signer

    def _found(self, database: sqlite_utils.Database) -> Signer:
        if database.execute("SELECT 1 FROM audit_state").fetchone():
            raise StoreError(f"the audit log's checkpoints are gone: {ADVICE}; restore the ledger from a backup")
        signer = self._keys.create(f"pinfold-{secrets.token_hex(8)}/audit")
        key = str(signer.verifier)
        database.execute("INSERT INTO audit_state VALUES (1, ?, ?, 0)", [key, key])
        self._tree, self._grown = CompactRange(), CompactRange()
        tree = self._caught_up(database)
        self._keep(database, tree, _checkpoint(database, signer, tree).sign(signer))
        return signer

    def _resume(self, database: sqlite_utils.Database, size: int, note: bytes) -> Signer:
        with _tampering():
            tree, signer = self._reached(database, size), self._signer
            # Ed25519 signs a text in one way only, and faster than a signature is verified.
            if signer is None or note != _checkpoint(database, signer, tree).sign(signer):
                tree, signer = self._verified(database, size, note, tree)
        self._tree, self._note = tree, note
        return signer

    def _verified(
        self, database: sqlite_utils.Database, size: int, note: bytes, tree: CompactRange
    ) -> tuple[CompactRange, Signer]:
        """Return the tree that a note of the present key vouches for, and who signs with that key."""
        (key,) = database.execute("SELECT present_key FROM audit_state").fetchone() or ("",)
        verifier = Verifier.parse(key)
        signed = LogKeys.of(verifier).open(note)
        if (signed.size, signed.root) != (size, tree.root()):
            # What this process signed last may never have been committed.
            tree = CompactRange.at(size, TileNodes(Tiles(database)))
        if (signed.size, signed.root) != (size, tree.root()):
            raise InvalidNote(f"the tree is not the one that was signed for {size} entries")
        signer = self._signer
        if signer is None or signer.verifier != verifier:
            signer = self._keys.load(verifier)
        return tree, signer

    def _reached(self, database: sqlite_utils.Database, size: int) -> CompactRange:
        """Return the tree at a size: as a rule, what this process knows with the few entries that another one added."""
        nodes, tree = TileNodes(Tiles(database)), self._tree.copy()
        if not 0 < size - tree.size <= WIDTH:
            return CompactRange.at(size, nodes)
        for index in range(tree.size, size):
            tree.append(nodes.node(0, index))
        return tree

    def _caught_up(self, database: sqlite_utils.Database) -> CompactRange:
        """Return the tree with all entries that were appended to it, after keeping its tiles."""
        while leaves := _leaves_after(database, self._grown.size):
            self.grow(database, leaves)
        return self._grown.copy()

    def _keep(
        self, database: sqlite_utils.Database, tree: CompactRange, note: bytes, *, ends_key: bool = False
    ) -> None:
        """Keep a checkpoint, and of those before it the last one of each tile, which tells what was damaged when."""
        before = self._tree.size
        if before // WIDTH == tree.size // WIDTH:
            database.execute("DELETE FROM audit_checkpoint WHERE size = ? AND NOT ends_key", [before])
        database.execute("INSERT INTO audit_checkpoint VALUES (?, ?, ?)", [tree.size, note, ends_key])
        self._tree, self._note = tree, note


def _checkpoint(database: sqlite_utils.Database, signer: Signer, tree: CompactRange) -> Checkpoint:
    return Checkpoint(signer.name, tree.size, tree.root(), audit_places.extensions(database))


def _leaves_after(database: sqlite_utils.Database, size: int) -> list[bytes]:
    """Return the leaf hashes of the next entries, which follow each other without a gap."""
    rows = database.execute("SELECT seq, body FROM audit_entry WHERE seq > ? ORDER BY seq LIMIT ?", [size, _PORTION])
    leaves = []
    for expected, (seq, body) in enumerate(rows, size + 1):
        if seq != expected:
            raise StoreError(f"the audit log has no entry {expected}: restore the ledger from a backup")
        leaves.append(leaf_hash(body))
    return leaves


async def latest_checkpoint(ledger: Database) -> bytes:
    """Return the note that vouches for all entries so far."""
    latest = "SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1"
    (note,) = await ledger.read(lambda database: database.execute(latest).fetchone())
    return bytes(note)


async def rotate_key(ledger: Database, tree: AuditTree, entry: Entry) -> tuple[Verifier, Verifier]:
    """Replace the key that signs the log, with an entry that says so; return the old one, which is gone, and the new.

    Other processes sign with the new key from then on.
    """
    old, new = await ledger.write(partial(tree.rotate, entry=entry))
    await asyncio.to_thread(tree.forget, old)
    return old, new


@contextmanager
def _tampering() -> Iterator[None]:
    try:
        yield
    except (InvalidNote, ValueError) as error:
        raise StoreError(
            f"the audit log does not end as it was signed: {error}; {ADVICE}; restore the ledger from a backup"
        ) from error
