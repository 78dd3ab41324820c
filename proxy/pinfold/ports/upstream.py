"""The port to an index that pages and files are fetched from."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pinfold.domain.project import File, Project


@dataclass(frozen=True, slots=True)
class Validators:
    """What an upstream gave to ask again by (RFC 9110, section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A project page as the upstream has it now."""

    project: Project
    validators: Validators
    max_age: timedelta | None
    """How long the upstream's `Cache-Control` lets the page count as fresh; None where it says nothing."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The page is what the validators stand for."""

    max_age: timedelta | None


@dataclass(frozen=True, slots=True)
class Missing:
    """The upstream says that it has no such project: 404 or 410, and nothing else."""


@dataclass(frozen=True, slots=True)
class Download:
    """The bytes of a file on their way."""

    length: int | None
    """How many bytes will come, where the upstream says so."""
    chunks: AsyncIterator[bytes]


class Upstream(Protocol):
    """An index. Every method raises UpstreamError when the index fails, which never means that something is missing."""

    @property
    def name(self) -> str:
        """The name in the settings."""
        ...

    async def project(self, name: str, known: Validators | None) -> Page | Unchanged | Missing:
        """Fetch a project page, conditionally where validators are known."""
        ...

    async def project_names(self) -> list[str]:
        """Fetch the names of all projects, normalised."""
        ...

    def download(self, file: File, first: int = 0) -> AbstractAsyncContextManager[Download]:
        """Open a file's bytes from an offset on; raises NotFound where the upstream has the file no more."""
        ...

    async def read_range(self, file: File, first: int, last: int) -> tuple[bytes, int]:
        """Return the bytes `first` to `last`, both included, and the file's full length.

        A negative `first` means the last `-first` bytes, and `last` is then ignored. Raises UpstreamError where the
        upstream does not serve ranges.
        """
        ...

    async def metadata(self, file: File) -> bytes | None:
        """Return the file's PEP 658 metadata; None where the upstream has none."""
        ...

    async def provenance(self, file: File) -> bytes | None:
        """Return the file's PEP 740 provenance, unverified; None where the upstream has none."""
        ...
