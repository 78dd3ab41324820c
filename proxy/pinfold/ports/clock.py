"""The port to the time of day."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; tests set it."""

    def now(self) -> datetime:
        """Return the current moment; aware, UTC."""
        ...
