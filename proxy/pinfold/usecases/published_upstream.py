"""What was published on an index of this installation, in the shape of an upstream: the gate makes no difference."""

import asyncio
import hashlib
from contextlib import AbstractAsyncContextManager

from pinfold.domain.errors import UpstreamError
from pinfold.domain.project import File, Project
from pinfold.ports.blobs import Blobs
from pinfold.ports.published import PublishedStore
from pinfold.ports.upstream import Download, Missing, Page, Unchanged, Validators


class PublishedUpstream:
    """The files that were uploaded to one index. Their bytes are in the blob store already, or lost."""

    def __init__(self, index: str, store: PublishedStore, blobs: Blobs) -> None:
        self._index = index
        self._store = store
        self._blobs = blobs

    @property
    def name(self) -> str:
        """A name that no upstream in the settings can have."""
        return f"published:{self._index}"

    async def project(self, name: str, known: Validators | None) -> Page | Unchanged | Missing:
        """Return a claimed project as it is now, which costs no look at the store while nobody changed it.

        A project whose files were all deleted is still here, without files: its name is not given back.
        """
        claimed = (await self._store.current()).of(self._index, name)
        if claimed is None:
            return Missing()
        if known is not None and known.etag == str(claimed.revision):
            return Unchanged(None)
        published = await self._store.project(self._index, name)
        if published is None:
            raise UpstreamError(f"{name} is claimed by index {self._index}, and cannot be read")
        files = tuple(each.file for each in published.files if each.deletion is None)
        versions = tuple(dict.fromkeys(file.version for file in files if file.version is not None))
        return Page(Project(name, files, versions), Validators(etag=str(published.revision)), None)

    async def project_names(self) -> list[str]:
        """Return the names of all claimed projects."""
        return sorted((await self._store.current()).by_index.get(self._index, ()))

    def download(self, file: File, first: int = 0) -> AbstractAsyncContextManager[Download]:  # noqa: ARG002 - as the port has it
        """Raise UpstreamError: whoever asks did not find the bytes where alone they are."""
        raise self._lost(file)

    async def read_range(self, file: File, first: int, last: int) -> tuple[bytes, int]:  # noqa: ARG002 - as the port has it
        """Raise UpstreamError, as `download` does."""
        raise self._lost(file)

    async def metadata(self, file: File) -> bytes | None:
        """Return a wheel's metadata, as it was read out of it for its upload; None where that is lost or damaged."""
        path = await self._blobs.find(file.core_metadata) if isinstance(file.core_metadata, str) else None
        content = await asyncio.to_thread(path.read_bytes) if path is not None else b""
        return content if hashlib.sha256(content).hexdigest() == file.core_metadata else None

    async def provenance(self, file: File) -> bytes | None:
        """Return the provenance that a file came with."""
        return await self._store.provenance(self._index, file.filename)

    def _lost(self, file: File) -> UpstreamError:
        return UpstreamError(
            f"the bytes of {file.filename}, which was published on index {self._index}, are lost or damaged: "
            f"restore the blob {file.sha256} from a backup, or upload the very same file again"
        )
