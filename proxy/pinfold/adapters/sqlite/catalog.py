"""The catalog in SQLite: one compressed listing a row."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import msgspec
import sqlite_utils

from pinfold.adapters.sqlite.database import Database
from pinfold.audit.canonical import rfc3339
from pinfold.domain.errors import StoreError
from pinfold.domain.listing import Listing
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Validators

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Of the levels, 1 is as small as 3 on listings and twice as fast.
_LEVEL = 1
_LARGEST = 64 << 20
"""Bytes of metadata, unpacked; what claims to be larger is damaged."""
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Listing)


class SqliteCatalog:
    """The catalog in its file."""

    def __init__(self, file: Database) -> None:
        self._file = file

    async def load(self, upstream: str, project: str) -> Stored | None:
        """Return what is known of a project, or None where it was never asked for."""
        return await self._file.read(lambda database: self._load(database, upstream, project))

    async def update(self, upstream: str, project: str, change: Callable[[Stored | None], Stored]) -> Stored:
        """Replace a listing by what a pure function makes of the present one, as one transaction over all processes."""

        def work(database: sqlite_utils.Database) -> Stored:
            stored = change(self._load(database, upstream, project))
            return replace(stored, digest=_save(database, upstream, project, stored))

        return await self._file.write(work)

    async def confirm(self, upstream: str, project: str, at: datetime, fresh_until: datetime) -> None:
        """Note that the upstream confirmed a listing, if there is one: unchanged, and fresh until a moment."""
        await self._file.write(
            lambda database: database.execute(
                "UPDATE listing SET fetched_at = ?, fresh_until = ? WHERE upstream = ? AND project = ?",
                [rfc3339(at), rfc3339(fresh_until), upstream, project],
            )
        )

    async def metadata_digests(self, project: str) -> dict[str, str | None]:
        """Return what was found out of a project's wheels: by wheel hash, the metadata's sha256, or None for none."""
        return await self._file.read(
            lambda database: dict(
                database.execute("SELECT wheel, metadata FROM wheel_metadata WHERE project = ?", [project]).fetchall()
            )
        )

    async def remember_metadata(self, project: str, wheel: str, metadata: bytes | None) -> None:
        """Keep what was found out of a wheel, given by its hash: its metadata, or that it carries none."""

        def work(database: sqlite_utils.Database) -> None:
            digest = None if metadata is None else hashlib.sha256(metadata).hexdigest()
            if metadata is not None:
                # Whatever is there may be damaged.
                packed = [digest, zstd.compress(metadata, _LEVEL)]
                database.execute("REPLACE INTO metadata (digest, content) VALUES (?, ?)", packed)
            before = database.execute(
                "SELECT metadata FROM wheel_metadata WHERE project = ? AND wheel = ?", [project, wheel]
            ).fetchone()
            row = [project, wheel, digest]
            database.execute("REPLACE INTO wheel_metadata (project, wheel, metadata) VALUES (?, ?, ?)", row)
            if before is not None and before[0] != digest:
                database.execute(
                    "DELETE FROM metadata WHERE digest = ? "
                    "AND NOT EXISTS (SELECT 1 FROM wheel_metadata WHERE metadata = digest)",
                    before,
                )

        # Clients have it already.
        await self._file.write(work, in_passing=True)

    async def metadata(self, digest: str) -> bytes | None:
        """Return metadata by its sha256, which it has; None where none that is whole is kept."""

        def work(database: sqlite_utils.Database) -> bytes | None:
            row = database.execute("SELECT content FROM metadata WHERE digest = ?", [digest]).fetchone()
            try:
                content = zstd.ZstdDecompressor().decompress(row[0], _LARGEST) if row else None
            except zstd.ZstdError:
                return None
            return content if content is not None and hashlib.sha256(content).hexdigest() == digest else None

        return await self._file.read(work)

    def _load(self, database: sqlite_utils.Database, upstream: str, project: str) -> Stored | None:
        row = database.execute(
            "SELECT body, etag, last_modified, fetched_at, fresh_until FROM listing WHERE upstream = ? AND project = ?",
            [upstream, project],
        ).fetchone()
        if row is None:
            return None
        body, etag, last_modified, fetched_at, fresh_until = row
        try:
            listing = replace(_decoder.decode(zstd.decompress(body)), fetched_at=datetime.fromisoformat(fetched_at))
            validators, digest = Validators(etag, last_modified), hashlib.sha256(body).digest()
            return Stored(listing.condensed(), validators, datetime.fromisoformat(fresh_until), digest)
        except (zstd.ZstdError, msgspec.DecodeError, ValueError) as error:
            # Beginning the listing anew would forget which bytes were seen first under each name.
            raise StoreError(
                f"{self._file.path} has a damaged listing of {project} from {upstream} ({error}): restore the file "
                "from a backup, or move it away to begin an empty one, which forgets every first sighting"
            ) from error


def _save(database: sqlite_utils.Database, upstream: str, project: str, stored: Stored) -> bytes:
    body = zstd.compress(_encoder.encode(stored.listing), _LEVEL)
    database.execute(
        "REPLACE INTO listing (upstream, project, fetched_at, fresh_until, etag, last_modified, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            upstream,
            project,
            rfc3339(stored.listing.fetched_at),
            rfc3339(stored.fresh_until),
            stored.validators.etag,
            stored.validators.last_modified,
            body,
        ],
    )
    return hashlib.sha256(body).digest()
