"""The port to turns that the processes on one store take."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class TakeTurn(Protocol):
    """Tries to take a turn, without waiting, and tells whether that worked; no two processes have it at once."""

    def __call__(self, name: str, /) -> AbstractContextManager[bool]:
        """Return the turn, held until its context is left; raises StoreError."""
        ...


def alone(_: str) -> AbstractContextManager[bool]:
    """Take a turn where there is no other process."""
    return nullcontext(True)  # noqa: FBT003 - the turn is ours
