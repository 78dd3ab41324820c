"""The port to the bytes of files, addressed by their sha256."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol


class BlobWriter(Protocol):
    """A blob on its way in; nothing of it can be found by its hash before `commit`."""

    @property
    def path(self) -> Path:
        """Where the bytes are until the writer's context is left, for readers that open them once and follow."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        ...

    async def commit(self, sha256: str) -> Path:
        """Make the blob durable under its hash, atomically; raises FileMismatch where the bytes have another hash."""
        ...


class Blobs(Protocol):
    """A content-addressed store. Every method raises StoreError when the store fails."""

    async def find(self, sha256: str) -> Path | None:
        """Return where a blob's bytes are, or None where they are not kept."""
        ...

    async def among(self, hashes: set[str]) -> set[str]:
        """Return which of the hashes are kept."""
        ...

    def writer(self) -> AbstractAsyncContextManager[BlobWriter]:
        """Begin a blob; leaving the context without a commit throws its bytes away."""
        ...

    async def verify(self, sha256: str) -> bool:
        """Read a blob and tell whether it still has its hash; where it has not, it is not found any more.

        Raises NotFound where the blob is not kept.
        """
        ...

    async def discard(self, sha256: str) -> None:
        """Forget a blob, for instance because its bytes are found to be damaged."""
        ...
