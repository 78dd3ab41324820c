"""The port to pages that one process made, and that the others on the same store need not make again."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from pinfold.domain.project import File


class SharedPage(Struct, frozen=True):
    """One representation of a page in one encoding, with what else came of judging its files."""

    body: bytes
    etag: str
    until: datetime
    """When it may say something else, as far as time alone changes that."""
    changes_at: datetime | None
    """The earliest moment at which one of the decisions changes by itself."""
    is_unopposed: bool
    """Nothing is held against any file, and none was taken away."""
    to_verify: tuple[File, ...]
    """What the newest files need verified to be judged for good, newest first."""


class SharedPages(Protocol):
    """Keeps pages by what they were made of, for a while; nothing depends on any being kept."""

    async def find(self, made_of: str) -> SharedPage | None:
        """Return the page that was made of something, by its digest, and by the same code; None where none is kept."""
        ...

    async def keep(self, made_of: str, page: SharedPage) -> None:
        """Keep a page, unless that fails."""
        ...
