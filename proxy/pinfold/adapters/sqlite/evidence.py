"""Evidence in the ledger's file, in parts: what a feed's snapshot or a release line's past adds to it recurs.

A part is some fields of the evidence, as compressed JSON. Nothing has to be believed of parts: together they have to
make the canonical JSON whose digest entries refer to.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import sqlite_utils

from pinfold.adapters.sqlite.audit_parts import numbers_by_digest
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import Evidence, canonical_json
from pinfold.domain.restore import restore_evidence

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 3
_LARGEST = 64 << 20
"""Bytes of one part, unpacked; what claims to be larger is damaged."""
SHORTEST = 100
"""Bytes of a field that is a part of its own; shorter ones are one part together."""


def keep(
    database: sqlite_utils.Database, digests: Collection[str], piece_of: Callable[[str], object]
) -> dict[str, int]:
    """Keep evidence in the transaction that is open, and return its numbers, by digest.

    `piece_of` is asked for the plain data of what is not kept yet.
    """
    wanted = (bytes.fromhex(digest) for digest in digests)
    numbers = {digest.hex(): number for digest, number in numbers_by_digest(database, "evidence", wanted)}
    return numbers | {digest: _keep(database, digest, piece_of(digest)) for digest in digests if digest not in numbers}


def whole(rows: Iterable[bytes]) -> bytes:
    """Return the canonical JSON that the parts of some evidence make; raise ValueError where they are no parts."""
    document: dict[str, Any] = {}
    for body in rows:
        try:
            document |= json.loads(zstd.ZstdDecompressor().decompress(body, _LARGEST))
        except (zstd.ZstdError, TypeError) as error:
            raise ValueError(f"a part cannot be read: {error}") from error
    return canonical_json(document)


class KeptEvidence:
    """Evidence that entries refer to by digest, which the audit log's tree therefore vouches for as well."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def of(self, digests: Collection[str]) -> dict[str, Evidence]:
        """Return what is kept of some digests; raises StoreError where it is damaged."""
        wanted = [bytes.fromhex(digest) for digest in digests]
        marks = ", ".join("?" * len(wanted))
        rows = await self._ledger.read(
            lambda database: database.execute(
                "SELECT evidence.digest, body FROM evidence JOIN json_each(parts) AS part "  # noqa: S608 - values are bound
                f"LEFT JOIN evidence_part ON evidence_part.id = part.value WHERE evidence.digest IN ({marks})",
                wanted,
            ).fetchall()
        )
        parts: dict[str, list[bytes]] = {}
        for digest, body in rows:
            parts.setdefault(digest.hex(), []).append(body)
        return {digest: self._restored(digest, bodies) for digest, bodies in parts.items()}

    def _restored(self, digest: str, parts: list[bytes]) -> Evidence:
        try:
            canonical = whole(parts)
            if hashlib.sha256(canonical).hexdigest() != digest:
                raise ValueError("it has another digest")
            return restore_evidence(json.loads(canonical))
        except ValueError as error:
            raise StoreError(
                f"{self._ledger.path} has damaged evidence {digest[:12]}: {error}; restore it from a backup"
            ) from error


def _keep(database: sqlite_utils.Database, digest: str, document: Any) -> int:
    parts = [_part(database, part) for part in _divided(document)]
    sql = "INSERT INTO evidence (digest, parts) VALUES (?, ?) RETURNING id"
    (number,) = database.execute(sql, [bytes.fromhex(digest), canonical_json(parts).decode()]).fetchone()
    return int(number)


def _divided(document: dict[str, Any]) -> Iterator[bytes]:
    short = {}
    for name, value in document.items():
        part = canonical_json({name: value})
        if len(part) < SHORTEST:
            short[name] = value
        else:
            yield part
    yield canonical_json(short)


def _part(database: sqlite_utils.Database, part: bytes) -> int:
    body = zstd.compress(part, _LEVEL)
    digest = hashlib.sha256(body).digest()
    known = database.execute("SELECT id FROM evidence_part WHERE digest = ?", [digest]).fetchone()
    if known is None:
        sql = "INSERT INTO evidence_part (digest, body) VALUES (?, ?) RETURNING id"
        known = database.execute(sql, [digest, body]).fetchone()
    return int(known[0])
