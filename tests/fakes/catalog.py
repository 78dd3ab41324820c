"""A catalog in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pinfold.domain.errors import StoreError
from pinfold.ports.catalog import Stored


class FakeCatalog:
    """Keeps listings in `stored` by upstream and project, and metadata in `contents` by its hash.

    Raises `failure`, where it is set, at every call.
    """

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Stored] = {}
        self.failure: StoreError | None = None
        self.contents: dict[str, bytes] = {}
        self._metadata: dict[str, dict[str, str | None]] = {}

    async def load(self, upstream: str, project: str) -> Stored | None:
        self._may_fail()
        return self.stored.get((upstream, project))

    async def update(self, upstream: str, project: str, change: Callable[[Stored | None], Stored]) -> Stored:
        self._may_fail()
        stored = change(self.stored.get((upstream, project)))
        digest = hashlib.sha256(repr(stored.listing).encode()).digest()
        stored = self.stored[upstream, project] = replace(stored, digest=digest)
        return stored

    async def confirm(self, upstream: str, project: str, at: datetime, fresh_until: datetime) -> None:
        self._may_fail()
        if (stored := self.stored.get((upstream, project))) is not None:
            self.stored[upstream, project] = replace(
                stored, listing=replace(stored.listing, fetched_at=at), fresh_until=fresh_until
            )

    async def metadata_digests(self, project: str) -> dict[str, str | None]:
        self._may_fail()
        return dict(self._metadata.get(project, {}))

    async def remember_metadata(self, project: str, wheel: str, metadata: bytes | None) -> None:
        self._may_fail()
        digest = None if metadata is None else hashlib.sha256(metadata).hexdigest()
        self._metadata.setdefault(project, {})[wheel] = digest
        if digest is not None and metadata is not None:
            self.contents[digest] = metadata
        told = {digest for wheels in self._metadata.values() for digest in wheels.values()}
        self.contents = {digest: content for digest, content in self.contents.items() if digest in told}

    async def metadata(self, digest: str) -> bytes | None:
        self._may_fail()
        content = self.contents.get(digest)
        return content if content is not None and hashlib.sha256(content).hexdigest() == digest else None

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
