"""Evidence in the ledger's file: canonical JSON, compressed, under its own digest."""

import hashlib
import json
import sys
from collections.abc import Collection

import sqlite_utils

from pinfold.adapters.sqlite.database import Database, Work
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence
from pinfold.domain.restore import restore_evidence
from pinfold.usecases.lru import Lru

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 3
_LARGEST = 64 << 20
"""Bytes of one piece of evidence, unpacked; what claims to be larger is damaged."""
REMEMBERED = 100_000
"""Digests that a process remembers to have written."""


class KeptEvidence:
    """Evidence that entries refer to by digest, which the audit log's tree therefore vouches for as well."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger
        self._written: Lru[str, str] = Lru(REMEMBERED)

    def keeping(self, digest: str, evidence: Evidence) -> Work[None]:
        """Return what keeps some evidence, to be done in the transaction of the entry that refers to it."""
        if self._written.get(digest) is not None:
            return lambda _: None
        packed = zstd.compress(evidence.canonical(), _LEVEL)

        def work(database: sqlite_utils.Database) -> None:
            database.execute("INSERT OR IGNORE INTO evidence (digest, body) VALUES (?, ?)", [digest, packed])

        return work

    def kept(self, digest: str) -> None:
        """Remember that some evidence is durable."""
        self._written.put(digest, digest, 1)

    async def of(self, digests: Collection[str]) -> dict[str, Evidence]:
        """Return what is kept of some digests; raises StoreError where it is damaged."""
        wanted = json.dumps(list(digests))
        rows = await self._ledger.read(
            lambda database: database.execute(
                "SELECT digest, body FROM evidence WHERE digest IN (SELECT value FROM json_each(?))", [wanted]
            ).fetchall()
        )
        return {digest: self._unpacked(digest, body) for digest, body in rows}

    def _unpacked(self, digest: str, body: bytes) -> Evidence:
        try:
            canonical = zstd.ZstdDecompressor().decompress(body, _LARGEST)
            if hashlib.sha256(canonical).hexdigest() != digest:
                raise ValueError("it has another digest")
            return restore_evidence(json.loads(canonical))
        except (zstd.ZstdError, ValueError) as error:
            raise StoreError(
                f"{self._ledger.path} has damaged evidence {digest[:12]}: {error}; restore it from a backup"
            ) from error
