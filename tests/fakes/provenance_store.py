"""A memory of verified provenance that ends with the test."""

from pinfold.domain.errors import StoreError
from pinfold.ports.provenance_store import Checked


class FakeProvenanceStore:
    """Keeps results by project; raises `failure`, where it is set, at every call."""

    def __init__(self) -> None:
        self.failure: StoreError | None = None
        self._results: dict[str, dict[tuple[str, ...], tuple[int, Checked]]] = {}
        self._revision = 0
        self._documents: dict[str, bytes] = {}

    async def revision(self, project: str) -> int:
        self._may_fail()
        kept = self._results.get(project, {}).values()
        return max((revision for revision, _ in kept), default=0)

    async def results(self, project: str, after: int = 0) -> list[Checked]:
        self._may_fail()
        return [checked for revision, checked in self._results.get(project, {}).values() if revision > after]

    async def remember(self, project: str, checked: Checked, content: bytes) -> None:
        self._may_fail()
        key = (checked.filename, checked.sha256, checked.document, checked.trust_root)
        results = self._results.setdefault(project, {})
        results.pop(key, None)
        self._revision += 1
        results[key] = (self._revision, checked)
        self._documents.setdefault(checked.document, content)

    async def document(self, digest: str) -> bytes | None:
        self._may_fail()
        return self._documents.get(digest)

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
