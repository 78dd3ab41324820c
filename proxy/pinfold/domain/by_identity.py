"""What was made of objects that never change, found again by which object it is."""

from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


class ByIdentity(Generic[S, T]):
    """A function that remembers its answers by its argument's identity: to compare would take as long as to answer.

    The arguments are kept with the answers, so that no other object can come to be taken for one of them; they must
    not be changed. Where there are as many as may be, all are forgotten.
    """

    def __init__(self, answer: Callable[[S], T], at_most: int) -> None:
        self._answer = answer
        self._at_most = at_most
        self._known: dict[int, tuple[S, T]] = {}

    def __call__(self, argument: S) -> T:
        """Return the answer about an object."""
        known = self._known.get(id(argument))
        if known is None:
            if len(self._known) >= self._at_most:
                self._known.clear()
            known = self._known[id(argument)] = argument, self._answer(argument)
        return known[1]
