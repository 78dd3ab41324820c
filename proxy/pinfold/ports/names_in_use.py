"""The port to the names of the projects that somebody here was ever served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Use:
    """That an index served files of a project."""

    index: str
    project: str


class NamesInUse(Protocol):
    """Names that only ever become more."""

    async def uses(self) -> Sequence[Use]:
        """Return each use once, in the order in which they came, no staler than a fraction of a second.

        What was returned before is the beginning of what is returned later, and the same object where nothing came.
        Raises StoreError when the store fails.
        """
        ...
