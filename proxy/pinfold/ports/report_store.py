"""The port to the memory of which archives were inspected, and what was seen in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pinfold.domain.inspection import Report

INCOMPLETE_HOLDS = timedelta(hours=1)
"""How long an incomplete report counts: a machine with more time may see more."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """The report on some bytes, as a project lists them under a file name."""

    sha256: str
    """In lower-case hexadecimal."""
    inspected_at: datetime
    report: Report

    @property
    def again_at(self) -> datetime | None:
        """When a report that broke off at a limit is to be made once more; None for one that came to the end."""
        return None if self.report.complete else self.inspected_at + INCOMPLETE_HOLDS


class ReportStore(Protocol):
    """Reports by project, file name and sha256: the same bytes contradict one name and agree with another.

    Every method raises StoreError when the store fails.
    """

    async def revision(self, project: str) -> int:
        """Return a number that grows with all that any process remembers of a project; cheap enough for every request.

        It may be a fraction of a second old, except for what was remembered here, and may grow without news.
        """
        ...

    async def reports(self, project: str, after: int = 0) -> list[Inspected]:
        """Return the reports on a project's files that were remembered after a revision, in that order.

        None of them is missing that the project's revision, as it is told at this moment, has risen by.
        """
        ...

    async def remember(self, inspected: Inspected) -> tuple[int, int]:
        """Keep a report in place of an earlier one on the same file; return the project's revision before and since.

        Whoever knew all up to the one before knows all with this report.
        """
        ...
