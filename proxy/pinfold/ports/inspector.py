"""The port to the inspection of archives."""

from pathlib import Path
from typing import Protocol

from pinfold.domain.inspection import Report


class Inspector(Protocol):
    """Tells what is in an archive, whatever is in it, without holding anything else up."""

    async def inspect(self, path: Path, filename: str, project: str, version: str | None) -> Report:
        """Return what the archive at a path is seen to be, listed under a name of a project's version.

        Hostile content is the report's to tell. Raises InspectionFailed where there is no report: it took too long, or
        whatever made it died.
        """
        ...
