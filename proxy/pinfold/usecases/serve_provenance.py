"""A file's provenance, passed on as its upstream made it, so that clients can verify for themselves."""

from pinfold.domain.errors import NotFound
from pinfold.domain.names import canonical_version
from pinfold.usecases.decide import Gate
from pinfold.usecases.file_download import Address, Ask, FileDownload
from pinfold.usecases.indexes import Index
from pinfold.usecases.provenances import Provenances


class ServeProvenance:
    """Serves provenance behind the same gate as the files that it vouches for."""

    def __init__(self, gate: Gate, files: FileDownload, provenances: Provenances) -> None:
        self._gate = gate
        self._files = files
        self._provenances = provenances

    async def get(self, index: Index, project: str, version: str, filename: str, ask: Ask) -> bytes | None:
        """Return the provenance of a release's file; None where it has none.

        Raises Refused, as for the file itself; NotFound where the release has no such file; UpstreamError and
        StoreError.
        """
        page = await self._gate.lay_out(index, project)
        file = page.laid_out.file(filename) if page else None
        if file is None or file.version is None or file.version != canonical_version(version):
            raise NotFound(f"no file {filename} in release {version} of {project}")
        granted = await self._files.ask(index, Address(project, file.sha256, filename), ask)
        upstream = granted.project.found.source.upstream
        return await self._provenances.document(upstream, project, granted.judged.file)
