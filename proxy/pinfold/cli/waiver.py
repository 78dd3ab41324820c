"""`pinfold waiver`: named, time-limited exceptions."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import TargetType, When, operating_system_user
from pinfold.cli.standing import painted_standing, standing
from pinfold.cli.terminal import Line, moment, table
from pinfold.domain.evidence import plain
from pinfold.domain.records import Waiver
from pinfold.domain.target import Target

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation


@click.group(cls=Group)
def waiver() -> None:
    """Except targets from single rules, for a time."""


@waiver.command()
@click.argument("target", type=TargetType())
@click.option("--rule", required=True, metavar="ID", help="The rule that is waived, such as minimum-age.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; others will read it.")
@click.option(
    "--expires", required=True, type=When(ahead=True), help="When it ends: 14d from now, a date, or a date and time."
)
@click.pass_obj
def add(invocation: Invocation, target: Target, rule: str, reason: str, expires: datetime) -> None:
    """Except a TARGET from a rule: it takes effect within a second, and ends by itself."""
    from pinfold.usecases.waive import Waive

    async def work(installation: "Installation") -> Waiver:
        use = Waive(installation.records, installation.clock)
        return await use.add(target, rule, reason, expires, operating_system_user())

    added = invocation.run(work)
    invocation.answer(
        plain(added), [f"{added.id}: {rule} is waived for {added.target} until {moment(added.expires_at)} UTC."]
    )


@waiver.command()
@click.argument("waiver_id", metavar="ID")
@click.pass_obj
def revoke(invocation: Invocation, waiver_id: str) -> None:
    """End waiver ID before its time."""
    from pinfold.usecases.waive import Waive

    async def work(installation: "Installation") -> Waiver:
        return await Waive(installation.records, installation.clock).revoke(waiver_id, operating_system_user())

    revoked = invocation.run(work)
    invocation.answer(plain(revoked), [f"{revoked.id}: {revoked.rule} holds for {revoked.target} again."])


@waiver.command("list")
@click.option("--all", "everything", is_flag=True, help="With the waivers that have ended.")
@click.pass_obj
def list_(invocation: Invocation, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Show the waivers that are in force."""

    async def work(installation: "Installation") -> tuple[list[Waiver], datetime]:
        return await installation.records.waiver_history(), installation.clock.now()

    history, now = invocation.run(work)
    waivers = [one for one in history if everything or one.stands_at(now)]
    document = [{**asdict(one), "target": str(one.target), "state": standing(one, now)} for one in waivers]
    invocation.answer({"waivers": plain(document)}, _listing(waivers, now))


def _listing(waivers: Sequence[Waiver], now: datetime) -> Iterator[Line]:
    if not waivers:
        yield "No rule is waived."
        return
    yield from table(
        ["ID", "STATE", "RULE", "TARGET", "UNTIL", "BY", "REASON"],
        [
            [
                one.id,
                painted_standing(one, now),
                one.rule,
                str(one.target),
                moment(one.expires_at),
                one.created_by,
                one.reason,
            ]
            for one in waivers
        ],
    )
