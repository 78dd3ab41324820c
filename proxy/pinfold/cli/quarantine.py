"""`pinfold quarantine`: holding targets by hand."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import TargetType, operating_system_user
from pinfold.cli.terminal import Line, Painted, moment, table
from pinfold.domain.evidence import plain
from pinfold.domain.records import QuarantineRecord, RecordState
from pinfold.domain.target import Target

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation

_COLOURS = {RecordState.HELD: "yellow", RecordState.REJECTED: "red", RecordState.RELEASED: "green"}
_needs_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; others will read it.")


@click.group(cls=Group)
def quarantine() -> None:
    """Hold projects, releases, files or bytes until somebody releases or rejects them."""


@quarantine.command()
@click.argument("target", type=TargetType())
@_needs_reason
@click.option("--ref", "reference", metavar="ID", help="Where it is told at length: an advisory, a ticket, a URL.")
@click.pass_obj
def add(invocation: Invocation, target: Target, reason: str, reference: str | None) -> None:
    """Hold a TARGET, whether or not it was ever seen: it takes effect within a second."""
    from pinfold.usecases.quarantine import Quarantine

    async def work(installation: "Installation") -> QuarantineRecord:
        use = Quarantine(installation.records, installation.clock)
        return await use.add(target, reason, reference, operating_system_user())

    record = invocation.run(work)
    invocation.answer(
        plain(record),
        [
            f"{record.id}: {record.target} is quarantined.",
            f"To let it go: pinfold quarantine release {record.id} --reason TEXT",
        ],
    )


@quarantine.command()
@click.argument("record_id", metavar="ID")
@_needs_reason
@click.pass_obj
def release(invocation: Invocation, record_id: str, reason: str) -> None:
    """Let go what record ID holds."""
    _close(invocation, record_id, reason, RecordState.RELEASED)


@quarantine.command()
@click.argument("record_id", metavar="ID")
@_needs_reason
@click.pass_obj
def reject(invocation: Invocation, record_id: str, reason: str) -> None:
    """Deny for good what record ID holds."""
    _close(invocation, record_id, reason, RecordState.REJECTED)


@quarantine.command("list")
@click.option("--all", "everything", is_flag=True, help="With the records that were released.")
@click.pass_obj
def list_(invocation: Invocation, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Show what is held or rejected."""

    async def work(installation: "Installation") -> Sequence[QuarantineRecord]:
        if everything:
            return await installation.records.quarantine_history()
        return (await installation.records.current()).quarantine

    records = invocation.run(work)
    invocation.answer({"records": plain(records)}, _listing(records))


def _close(invocation: Invocation, record_id: str, reason: str, state: RecordState) -> None:
    from pinfold.usecases.quarantine import Quarantine

    async def work(installation: "Installation") -> tuple[QuarantineRecord, list[QuarantineRecord]]:
        use = Quarantine(installation.records, installation.clock)
        act = use.release if state is RecordState.RELEASED else use.reject
        closed = await act(record_id, reason, operating_system_user())
        others = (await installation.records.current()).quarantine
        return closed, [record for record in others if record.target == closed.target and record.id != closed.id]

    record, others = invocation.run(work)
    lines = [f"{record.id}: {record.target} is {record.state.value}."]
    if state is RecordState.RELEASED:
        lines += [f"It stays {other.state.value} by {other.id}: {other.reason}" for other in others]
    invocation.answer(plain(record), lines)


def _listing(records: Sequence[QuarantineRecord]) -> Iterator[Line]:
    if not records:
        yield "Nothing is quarantined."
        return
    yield from table(
        ["ID", "STATE", "TARGET", "SINCE", "BY", "REASON"],
        [
            [
                record.id,
                Painted(record.state.value, _COLOURS[record.state]),
                str(record.target),
                moment(record.created_at),
                record.created_by,
                f"{record.reason} ({record.reference})" if record.reference else record.reason,
            ]
            for record in records
        ],
    )
