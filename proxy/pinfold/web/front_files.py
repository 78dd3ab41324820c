"""Where a front server has the files that it sends in Pinfold's place."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FrontFiles:
    """The blob folder as nginx has it: at a location that no client can ask for."""

    location: str
    """Begins and ends with a slash."""
    folder: Path

    def place_of(self, blob: Path) -> str:
        """Return where a blob is for nginx; made of its hash alone. Raises ValueError for what is no blob."""
        return self.location + blob.relative_to(self.folder).as_posix()
