"""What somebody may have meant who wrote a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error about an unknown name: the nearest known one, or all that there are."""
    choices = sorted(known)
    nearest = get_close_matches(name, choices, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else f"; known: {', '.join(choices)}"
