"""The bytes of one entry, taken in as they stream by: hashed, the beginning kept, the rest only where wanted."""

import hashlib
from collections.abc import Iterable

from msgspec import Struct

_HEAD = 512
CHUNK = 1 << 18


class Content(Struct, frozen=True, gc=False):
    """What is kept of an entry's bytes."""

    size: int
    head: bytes
    """The first bytes, enough to tell a format."""
    body: bytes | None = None
    """All bytes, where they were wanted and no more than wanted."""
    digest: bytes | None = None


def take_in(chunks: Iterable[bytes], *, keep: int = 0, algorithm: str | None = None) -> Content:
    """Read an entry to its end; keep its bytes up to a size, and hash them where an algorithm is given."""
    hasher = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
    size, head = 0, b""
    kept: list[bytes] = []
    for chunk in chunks:
        size += len(chunk)
        if len(head) < _HEAD:
            head += chunk[: _HEAD - len(head)]
        if size <= keep:
            kept.append(chunk)
        if hasher is not None:
            hasher.update(chunk)
    return Content(
        size=size,
        head=head,
        body=b"".join(kept) if size <= keep else None,
        digest=hasher.digest() if hasher is not None else None,
    )
