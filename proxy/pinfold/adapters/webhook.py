"""Alerts by HTTP: signed JSON for one's own services, or a message for Slack and what understands its webhooks."""

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from pinfold.adapters.posting import NotTaken, Posting
from pinfold.adapters.upstream.tls import trusting
from pinfold.domain.alert import Alert
from pinfold.ports.alerts import NotDelivered
from pinfold.ports.clock import Clock

MAX_SLACK_TEXT = 3_000
SLACK_CLIENTS = 15

SIGNATURE, TIMESTAMP, ID = "X-Pinfold-Signature", "X-Pinfold-Timestamp", "X-Pinfold-Alert"


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where alerts go, and how."""

    name: str
    url: str = field(repr=False)
    """As an operator configured it, also inside the own network; for Slack the address is the secret."""
    shape: Literal["json", "slack"] = "json"
    secret: str | None = field(default=None, repr=False)
    """What alerts are signed with, by HMAC-SHA256."""
    ca_file: Path | None = None
    """Certificates, in PEM, that vouch for it in place of the system's."""


class Webhook:
    """Posts alerts to one address."""

    def __init__(self, options: WebhookOptions, clock: Clock) -> None:
        """Raise InvalidSettings for a bad CA file."""
        self._options = options
        self._clock = clock
        self._posting = Posting(options.url, trusting(options.ca_file, f"alerts.webhook {options.name}: ca_file"))

    @property
    def name(self) -> str:
        """The webhook's name in the settings."""
        return self._options.name

    async def send(self, alert: Alert) -> None:
        """Deliver an alert; raises NotDelivered, with neither address nor secret in the message."""
        body = _slack(alert) if self._options.shape == "slack" else _json(alert)
        try:
            await self._posting.post(body, self._headers(alert, body))
        except NotTaken as error:
            raise NotDelivered(str(error)) from None

    async def aclose(self) -> None:
        """Close connections."""
        await self._posting.aclose()

    def _headers(self, alert: Alert, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", ID: alert.id}
        if self._options.secret is not None:
            timestamp = str(int(self._clock.now().timestamp()))
            headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(self._options.secret, timestamp, body)}
        return headers


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what proves that whoever knows a secret sent a body at a time: HMAC-SHA256 over `<timestamp>.<body>`."""
    return "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def _json(alert: Alert) -> bytes:
    return msgspec.json.encode(alert)


def _slack(alert: Alert) -> bytes:
    facts = alert.facts
    lines = [f"*{_escaped(alert.title)}*"]
    if cause := facts.get("cause"):
        lines.append(f"because of {_escaped(cause)}")
    clients: list[dict[str, Any]] = facts.get("exposure", {}).get("clients", [])
    for client in clients[:SLACK_CLIENTS]:
        who = " ".join(str(part) for part in (client["actor"], client["address"]) if part)
        lines.append(f"• {_escaped(who)}: {_escaped(', '.join(client['files'][:3]))}, last {client['last']}")
    if (count := facts.get("exposure", {}).get("clients_in_all", 0)) > SLACK_CLIENTS:
        lines.append(f"and {count - SLACK_CLIENTS} more clients")
    if facts.get("project"):
        lines.append(f"`pinfold audit exposure {_escaped(facts['project'])}` tells everything; alert {alert.id}")
    return msgspec.json.encode({"text": "\n".join(lines)[:MAX_SLACK_TEXT]})


def _escaped(text: object) -> str:
    """Return a text in which Slack sees no link, mention or formatting: names and reasons come from strangers."""
    plain = " ".join("".join(c for c in str(text) if c.isprintable()).split())
    plain = plain.translate(dict.fromkeys(map(ord, "*`~")))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
