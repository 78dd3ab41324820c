"""`pinfold alerts`: what is on its way to whom, and what did not arrive."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Group, Invocation
from pinfold.cli.terminal import Line, Painted, moment, table
from pinfold.domain.evidence import plain

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.ports.alerts import Delivery


@click.group(cls=Group)
def alerts() -> None:
    """Look after the alerts that receivers did not take yet."""


@alerts.command("list")
@click.pass_context
def list_(context: click.Context) -> None:
    """Show what waits for its receivers, and what was given up: exit code 1 where anything was."""

    async def work(installation: "Installation") -> "Sequence[Delivery]":
        return await installation.outbox.pending()

    invocation = context.ensure_object(Invocation)
    found = invocation.run(work)
    invocation.answer({"deliveries": plain(found)}, _lines(found))
    if any(delivery.dead for delivery in found):
        context.exit(REFUSED)


@alerts.command()
@click.argument("alert_id", metavar="[ID]", required=False)
@click.pass_obj
def retry(invocation: Invocation, alert_id: str | None) -> None:
    """Have what was given up tried again: alert ID, or all of it."""

    async def work(installation: "Installation") -> int:
        return await installation.outbox.retry(alert_id and alert_id.upper(), installation.clock.now())

    count = invocation.run(work)
    told = "Nothing was given up." if not count else f"A running server tries {count} again now."
    invocation.answer({"retried": count}, [told])


def _lines(found: "Sequence[Delivery]") -> Iterator[Line]:
    if not found:
        yield "Every alert was delivered."
        return
    yield from table(
        ["ALERT", "SINCE (UTC)", "RECEIVER", "STATE", "TRIED", "WHAT", "WHY NOT YET"],
        [
            [
                delivery.alert.id,
                moment(delivery.alert.time),
                delivery.receiver,
                Painted("given up", "red") if delivery.dead else Painted(f"next {moment(delivery.next_at)}", "yellow"),
                str(delivery.attempts),
                delivery.alert.title,
                delivery.error or "",
            ]
            for delivery in found
        ],
    )
