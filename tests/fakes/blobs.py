"""Blobs in a temporary folder, without durability or other processes."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from pinfold.domain.errors import FileMismatch, NotFound, StoreError


class FakeBlobs:
    """Keeps blobs under their hash in a folder; raises `failure`, where it is set, at every call."""

    def __init__(self, folder: Path) -> None:
        self.failure: StoreError | None = None
        self._folder = folder
        self._kept: dict[str, Path] = {}
        self._claimed: dict[str, Path] = {}

    def put(self, content: bytes) -> str:
        """Keep a blob and return its hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._kept[sha256] = self._folder / sha256
        self._kept[sha256].write_bytes(content)
        return sha256

    async def find(self, sha256: str) -> Path | None:
        self.may_fail()
        return self._kept.get(sha256)

    async def among(self, hashes: set[str]) -> set[str]:
        self.may_fail()
        return hashes & self._kept.keys()

    async def keep(self, content: bytes, sha256: str) -> None:
        self.may_fail()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileMismatch(f"expected a file with sha256 {sha256}")
        self.put(content)

    @asynccontextmanager
    async def writer(self) -> AsyncIterator["FakeBlobWriter"]:
        self.may_fail()
        writer = FakeBlobWriter(self, self._folder / uuid4().hex)
        try:
            yield writer
        finally:
            writer.path.unlink()

    @asynccontextmanager
    async def claim(self, sha256: str) -> AsyncIterator["FakeBlobWriter | None"]:
        if sha256 in self._claimed or sha256 in self._kept:
            yield None
            return
        async with self.writer() as writer:
            self._claimed[sha256] = writer.path
            try:
                yield writer
            finally:
                del self._claimed[sha256]

    @asynccontextmanager
    async def arrival(self, sha256: str) -> AsyncIterator["FakeArrival | None"]:
        yield FakeArrival(self._claimed, sha256) if sha256 in self._claimed else None

    async def verify(self, sha256: str) -> bool:
        self.may_fail()
        if sha256 not in self._kept:
            raise NotFound(f"no file with sha256 {sha256} is kept")
        intact = hashlib.sha256(self._kept[sha256].read_bytes()).hexdigest() == sha256
        if not intact:
            self._kept.pop(sha256).unlink()
        return intact

    def may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FakeArrival:
    """A blob that somebody brings in."""

    def __init__(self, claimed: Mapping[str, Path], sha256: str) -> None:
        self.path = claimed[sha256]
        self._claimed = claimed
        self._sha256 = sha256

    async def size(self) -> int | None:
        return self.path.stat().st_size if self._claimed.get(self._sha256) == self.path else None


class FakeBlobWriter:
    """A blob on its way in."""

    def __init__(self, blobs: FakeBlobs, path: Path) -> None:
        self.path = path
        self._blobs = blobs
        path.touch()

    async def write(self, chunk: bytes) -> None:
        self._blobs.may_fail()
        with self.path.open("ab") as file:
            file.write(chunk)

    async def settle(self, sha256: str, last: bytes = b"") -> Path:
        await self.write(last)
        return await self.commit(sha256)

    async def commit(self, sha256: str) -> Path:
        self._blobs.may_fail()
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileMismatch(f"expected a file with sha256 {sha256}")
        self._blobs.put(content)
        path = await self._blobs.find(sha256)
        assert path is not None
        return path
