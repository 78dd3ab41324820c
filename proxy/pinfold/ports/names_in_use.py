"""The port to the names of the projects that somebody here was ever served."""

from collections.abc import Sequence
from typing import Protocol


class NamesInUse(Protocol):
    """Names that only ever become more."""

    async def names(self) -> Sequence[str]:
        """Return the names in the order in which they came, no staler than a fraction of a second.

        What was returned before is the beginning of what is returned later, and the same object where nothing came.
        Raises StoreError when the store fails.
        """
        ...
