"""Connect what leaves Pinfold by itself: alerts, and checkpoints of the audit log."""

from contextlib import AsyncExitStack

from pinfold.adapters.alert_log import AlertLog
from pinfold.adapters.filesystem.checkpoint_file import CheckpointFile
from pinfold.adapters.webhook import Webhook, WebhookOptions
from pinfold.adapters.witness import Witness
from pinfold.ports.alerts import Receiver
from pinfold.ports.checkpoints import CheckpointSink
from pinfold.ports.clock import Clock
from pinfold.settings import Settings


def open_receivers(settings: Settings, clock: Clock, stack: AsyncExitStack) -> list[Receiver]:
    """Return who is alerted: the log first, then every webhook, to be closed with `stack`."""
    receivers: list[Receiver] = [AlertLog()]
    for webhook in settings.alerts.webhook:
        options = WebhookOptions(
            name=webhook.name or "webhook",
            url=webhook.url.get_secret_value(),
            shape=webhook.shape,
            secret=webhook.signing_secret(),
            ca_file=webhook.ca_file,
        )
        receivers.append(receiver := Webhook(options, clock))
        stack.push_async_callback(receiver.aclose)
    return receivers


def open_checkpoint_sinks(settings: Settings, stack: AsyncExitStack) -> list[CheckpointSink]:
    """Return where checkpoints are written besides the store, to be closed with `stack`."""
    audit, sinks = settings.audit, list[CheckpointSink]()
    if audit.checkpoint_file is not None:
        sinks.append(CheckpointFile(audit.checkpoint_file))
    if audit.checkpoint_url is not None:
        sinks.append(witness := Witness(audit.checkpoint_url.get_secret_value(), audit.checkpoint_ca_file))
        stack.push_async_callback(witness.aclose)
    return sinks
