"""The port to the bytes of files, addressed by their sha256."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol


class BlobWriter(Protocol):
    """A blob on its way in; nothing of it can be found by its hash before `settle` or `commit`."""

    @property
    def path(self) -> Path:
        """Where the bytes are; a reader that opened them follows them wherever that is."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        ...

    async def settle(self, sha256: str, last: bytes = b"") -> Path:
        """End the blob, after its last bytes, and let it be found by its hash, atomically.

        Raises FileMismatch where it has another one. Until it is durable as well, soon after, the loss of power may
        damage it, as `verify` would tell.
        """
        ...

    async def commit(self, sha256: str) -> Path:
        """End the blob and let it be found by its hash, atomically and durably; raises what `settle` raises."""
        ...


class Arrival(Protocol):
    """A blob that somebody brings in, perhaps in another process; once ended, it is found or did not come."""

    @property
    def path(self) -> Path:
        """Where the bytes are until the arrival has ended; a reader that opened them follows them to the end."""
        ...

    async def size(self) -> int | None:
        """Return how many bytes are here, or None once the arrival has ended."""
        ...


class Blobs(Protocol):
    """A content-addressed store. Every method raises StoreError when the store fails."""

    async def find(self, sha256: str) -> Path | None:
        """Return where a blob's bytes are, or None where they are not kept."""
        ...

    async def among(self, hashes: set[str]) -> set[str]:
        """Return which of the hashes are kept."""
        ...

    async def keep(self, content: bytes, sha256: str) -> None:
        """Keep bytes as a blob, durably; raises FileMismatch where they have another hash."""
        ...

    def writer(self) -> AbstractAsyncContextManager[BlobWriter]:
        """Begin a blob; leaving the context before it is found by its hash throws its bytes away."""
        ...

    def claim(self, sha256: str) -> AbstractAsyncContextManager[BlobWriter | None]:
        """Begin a blob by its hash as `writer` does, or return None where others have begun it, or brought it in."""
        ...

    def arrival(self, sha256: str) -> AbstractAsyncContextManager[Arrival | None]:
        """Follow a blob that somebody claimed, or return None where nobody has, or no longer."""
        ...

    async def verify(self, sha256: str) -> bool:
        """Read a blob and tell whether it still has its hash; where it has not, it is not found any more.

        Raises NotFound where the blob is not kept.
        """
        ...
