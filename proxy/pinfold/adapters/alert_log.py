"""Alerts in the process's own log: the receiver that is always there."""

import logging

from pinfold.domain.alert import Alert

log = logging.getLogger("pinfold.alerts")


class AlertLog:
    """Writes each alert as one line."""

    name = "log"

    async def send(self, alert: Alert) -> None:
        """Write an alert, with its facts."""
        log.warning("%(event)s", {"event": alert.title, "alert": alert.id, "kind": alert.kind, "facts": alert.facts})
