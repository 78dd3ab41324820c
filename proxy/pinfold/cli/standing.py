"""Whether what was granted for a time stands: in words, and in colours."""

from datetime import datetime

from pinfold.cli.terminal import Painted
from pinfold.domain.access import Token
from pinfold.domain.records import Waiver

_COLOURS = {"in force": "green", "expired": None, "revoked": "red"}


def standing(granted: Token | Waiver, now: datetime) -> str:
    """Return the state of a token or waiver in words that scripts may rely on."""
    if granted.revoked_at is not None:
        return "revoked"
    return "in force" if granted.stands_at(now) else "expired"


def painted_standing(granted: Token | Waiver, now: datetime) -> Painted:
    """Return the state of a token or waiver for a table."""
    state = standing(granted, now)
    return Painted(state, _COLOURS[state])
