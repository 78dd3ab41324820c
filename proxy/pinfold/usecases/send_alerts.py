"""Alerts on their way: from the outbox to each receiver, with patience, and given up in the end."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pinfold.domain.alert import Alert, new_alert_id
from pinfold.domain.errors import PinfoldError
from pinfold.ports.alerts import Delivery, NotDelivered, Outbox, Receiver
from pinfold.ports.clock import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LEASE = timedelta(minutes=1)
"""How long a delivery is left to the process that took it; longer than any attempt takes."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
MOST_ATTEMPTS = 12
"""With pauses that double from 5 s up to an hour, a receiver may be away for some four hours."""


class SendAlerts:
    """Delivers at least once; receivers tell repetitions by the alert's id. One slow receiver holds up no other."""

    def __init__(self, outbox: Outbox, receivers: Sequence[Receiver], clock: Clock) -> None:
        self._outbox = outbox
        self._receivers = receivers
        self._clock = clock

    async def tell(self, kind: str, title: str, facts: dict[str, Any]) -> None:
        """Let every receiver hear of something, as soon as it can be reached; raises StoreError."""
        alert = Alert(new_alert_id(), self._clock.now(), kind, title, facts)
        await self._outbox.put(alert, [receiver.name for receiver in self._receivers])

    async def run(self) -> None:
        """Deliver until cancelled."""
        await asyncio.gather(*map(self._serve, self._receivers))

    async def send_once(self, receiver: Receiver) -> bool:
        """Try one delivery that is due, if there is any; tell whether there was. Raises StoreError."""
        now = self._clock.now()
        delivery = await self._outbox.take(receiver.name, now, now + LEASE)
        if delivery is None:
            return False
        try:
            await receiver.send(delivery.alert)
        except NotDelivered as error:
            await self._failed(delivery, str(error))
        else:
            await self._outbox.delivered(delivery.number)
        return True

    async def _serve(self, receiver: Receiver) -> None:
        while True:
            try:
                if await self.send_once(receiver):
                    continue
            except PinfoldError as error:
                log.error("alerts to %s are not sent: %s", receiver.name, error)
            except Exception:
                log.exception("alerts to %s are not sent", receiver.name)
            await asyncio.sleep(LOOK_SECONDS)

    async def _failed(self, delivery: Delivery, error: str) -> None:
        dead = delivery.attempts >= MOST_ATTEMPTS
        pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE)
        what = "given up: pinfold alerts retry tries again" if dead else f"tried again in {pause}"
        log.warning("alert %s did not reach %s (%s); %s", delivery.alert.id, delivery.receiver, error, what)
        await self._outbox.failed(delivery.number, error, self._clock.now() + pause, dead=dead)
