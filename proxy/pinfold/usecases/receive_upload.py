"""The bytes of an upload on their way to disk: hashed and counted as they come, and never in memory as a whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from pinfold.domain.errors import InvalidUpload, UploadTooLarge
from pinfold.ports.blobs import Blobs, BlobWriter

PIECE = 1 << 20
"""Bytes that are hashed and written at once."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class ReceivedFile:
    """A file that is arriving, or has; it is no blob before `keep`."""

    def __init__(self, writer: BlobWriter, largest: int) -> None:
        self._writer = writer
        self._largest = largest
        # MD5 is nobody's proof of anything: clients send it, and what they send has to be right.
        self._hashes: dict[str, _Hash] = {
            "sha256": hashlib.sha256(),
            "blake2_256": hashlib.blake2b(digest_size=32),
            "md5": hashlib.md5(usedforsecurity=False),
        }
        self._waiting = bytearray()
        self.size = 0

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self._writer.path

    @property
    def sha256(self) -> str:
        """The hash of what has arrived, in lower-case hexadecimal."""
        return self._hashes["sha256"].hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Take the next bytes; raises UploadTooLarge."""
        self.size += len(chunk)
        if self.size > self._largest:
            raise UploadTooLarge(f"File too large: the limit is {self._largest} bytes")
        self._waiting += chunk
        if len(self._waiting) >= PIECE:
            await self.flush()

    async def flush(self) -> None:
        """Write what still waits."""
        piece, self._waiting = bytes(self._waiting), bytearray()
        await asyncio.to_thread(self._hash, piece)
        await self._writer.write(piece)

    def check(self, digests: Mapping[str, str]) -> None:
        """Compare what the client says of the bytes, by algorithm; raises InvalidUpload."""
        for algorithm, stated in digests.items():
            if stated.lower() != self._hashes[algorithm].hexdigest():
                raise InvalidUpload(
                    f"The digest supplied does not match a digest calculated from the uploaded file: {algorithm} is "
                    f"{self._hashes[algorithm].hexdigest()}"
                )

    async def keep(self) -> None:
        """Make the bytes a durable blob."""
        await self._writer.commit(self.sha256)

    def _hash(self, piece: bytes) -> None:
        for one in self._hashes.values():
            one.update(piece)


@asynccontextmanager
async def receiving(blobs: Blobs, largest: int) -> AsyncIterator[ReceivedFile]:
    """Begin to receive a file of so many bytes at most; leaving the context without `keep` throws it away."""
    async with blobs.writer() as writer:
        yield ReceivedFile(writer, largest)
