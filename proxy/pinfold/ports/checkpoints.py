"""The port to places where checkpoints of the audit log are kept: out of reach of whoever can rewrite the log."""

from typing import Protocol

from pinfold.domain.errors import PinfoldError


class NotKept(PinfoldError):
    """A checkpoint could not be kept somewhere; the message says why, and holds no secret."""


class CheckpointSink(Protocol):
    """A place that keeps checkpoints."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    async def keep(self, note: bytes) -> None:
        """Keep a signed checkpoint; to keep one twice is to keep it once. Raises NotKept."""
        ...
