"""What somebody should hear of at once."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Alert:
    """A piece of news, the same for every receiver."""

    id: str
    """The same at each attempt to deliver it, so that a receiver can tell a repetition."""
    time: datetime
    kind: str
    """What it is about: an action of the audit log, such as `decision.changed`."""
    title: str
    """All that matters, in one line."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The details, as plain data for JSON."""


def new_alert_id() -> str:
    """Return the id of a new alert, such as `A-7QK2MXAB`."""
    return f"A-{base64.b32encode(secrets.token_bytes(5)).decode()}"
