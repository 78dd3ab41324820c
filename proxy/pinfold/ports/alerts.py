"""The ports to those who are to hear of alerts, and to the outbox where alerts wait for them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pinfold.domain.alert import Alert
from pinfold.domain.errors import PinfoldError


class NotDelivered(PinfoldError):
    """A receiver did not take an alert; the message says why, and holds no secret."""


class Receiver(Protocol):
    """Somebody who hears of alerts."""

    @property
    def name(self) -> str:
        """What to call it; no two receivers of an installation have the same name."""
        ...

    async def send(self, alert: Alert) -> None:
        """Deliver an alert; raises NotDelivered."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert that waits for one receiver, or that was given up."""

    number: int
    receiver: str
    alert: Alert
    attempts: int
    next_at: datetime
    """When it is tried next; for what was given up, when that was."""
    error: str | None = None
    """Why the last attempt failed."""
    dead: bool = False
    """Nothing tries to deliver it any more until somebody asks for it."""


class Outbox(Protocol):
    """Alerts that all processes of an installation deliver together. Every method raises StoreError."""

    async def put(self, alert: Alert, receivers: Collection[str]) -> None:
        """Let an alert wait for each receiver."""
        ...

    async def take(self, receiver: str, at: datetime, until: datetime) -> Delivery | None:
        """Return the next delivery that is due, with the attempt counted; until a moment it is nobody else's."""
        ...

    async def delivered(self, number: int) -> None:
        """Take a delivery out of the outbox."""
        ...

    async def failed(self, number: int, error: str, next_at: datetime, *, dead: bool) -> None:
        """Note why an attempt failed, and when to try again, unless it is given up."""
        ...

    async def pending(self) -> list[Delivery]:
        """Return everything that waits or was given up, oldest first."""
        ...

    async def retry(self, alert_id: str | None, at: datetime) -> int:
        """Let what was given up be tried again, all of it or one alert's; return how many deliveries that is."""
        ...
