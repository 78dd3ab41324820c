"""Prunes the audit log: entries are deleted once an archive of them is verified, and what remains stays proven."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlite_utils

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors
from pinfold.adapters.sqlite.audit_append import append_entry
from pinfold.adapters.sqlite.audit_export import export_jsonl
from pinfold.adapters.sqlite.audit_reader import LogReader
from pinfold.adapters.sqlite.audit_sweep import sweep
from pinfold.adapters.sqlite.database import Database
from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.findings import Verification
from pinfold.audit.note import Verifier
from pinfold.audit.verify_export import verify_export
from pinfold.domain.audit_entry import Entry
from pinfold.domain.errors import StoreError

BATCH = 5_000
"""Entries that are deleted in one transaction: appends wait for it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A verified file of the entries that can be pruned."""

    path: Path
    first: int
    last: int
    sha256: str
    verification: Verification


def archive(reader: LogReader, key: Verifier, last: int, path: Path) -> Archive:
    """Write the entries up to `last` to a new file, read it back, and verify it with the log's public key; blocking.

    Raises StoreError where the file exists, cannot be written, or the log cannot be read.
    """
    state = reader.state()
    with store_errors(path):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise StoreError(f"{path} exists already: name a new file") from None
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(export_jsonl(reader, state, state.pruned + 1, last))
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.absolute().parent)
        with path.open("rb") as written:
            sha256 = hashlib.file_digest(written, "sha256").hexdigest()
            written.seek(0)
            verification = verify_export(written, LogKeys.of(key))
    return Archive(path, state.pruned + 1, last, sha256, verification)


async def prune(ledger: Database, archived: Archive, entry: Entry) -> None:
    """Delete the entries of a verified archive, after an entry that says so, and what they alone referred to.

    Each batch is a transaction of its own: where it is interrupted the log stays proven, and the next pruning goes on.
    Raises StoreError where the archive does not hold what was logged.
    """
    if not archived.verification.ok or archived.verification.last != archived.last:
        raise StoreError(f"{archived.path} does not verify, so nothing was pruned")
    about = {
        "first": archived.first,
        "through": archived.last,
        "archive": archived.path.name,
        "sha256": archived.sha256,
    }
    entry = replace(entry, details={**entry.details, **about})
    await ledger.write(lambda database: append_entry(database, entry))
    for through in _batches(archived):
        await ledger.write(partial(_delete, through=through))
    await sweep(ledger)


def _batches(archived: Archive) -> Iterator[int]:
    yield from range(archived.first + BATCH - 1, archived.last, BATCH)
    yield archived.last


def _delete(database: sqlite_utils.Database, through: int) -> None:
    # The mark goes first: the log gives up nothing that lies beyond it.
    database.execute("UPDATE audit_state SET pruned = ? WHERE pruned < ?", [through, through])
    database.execute("DELETE FROM audit WHERE seq <= ?", [through])
