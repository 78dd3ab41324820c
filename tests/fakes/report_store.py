"""A memory of inspections that ends with the test."""

from pinfold.domain.errors import StoreError
from pinfold.ports.report_store import Inspected


class FakeReportStore:
    """Keeps reports by project; raises `failure`, where it is set, at every call."""

    def __init__(self) -> None:
        self.failure: StoreError | None = None
        self._kept: dict[str, dict[tuple[str, str], tuple[int, Inspected]]] = {}
        self._revision = 0

    async def revision(self, project: str) -> int:
        self._may_fail()
        kept = self._kept.get(project, {}).values()
        return max((revision for revision, _ in kept), default=0)

    async def reports(self, project: str, after: int = 0) -> list[Inspected]:
        self._may_fail()
        return [inspected for revision, inspected in self._kept.get(project, {}).values() if revision > after]

    async def remember(self, inspected: Inspected) -> tuple[int, int]:
        before = await self.revision(inspected.report.project)
        report = inspected.report
        kept = self._kept.setdefault(report.project, {})
        kept.pop((report.filename, inspected.sha256), None)
        self._revision += 1
        kept[report.filename, inspected.sha256] = (self._revision, inspected)
        return before, self._revision

    def _may_fail(self) -> None:
        if self.failure is not None:
            raise self.failure
