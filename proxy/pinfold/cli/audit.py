"""`pinfold audit`: what was served and refused, to whom, and what was decided by hand."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.audit_proof import checkpoint, export, key, verify
from pinfold.cli.audit_upkeep import prune, rotate_key
from pinfold.cli.exposure import exposure
from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import ProjectName, Sha256, VersionNumber, When
from pinfold.cli.terminal import Line, Painted, Text, moment, say, say_json, table
from pinfold.domain.audit_entry import Action, Actor, Entry, Recorded
from pinfold.domain.decision import Effect
from pinfold.domain.evidence import plain
from pinfold.ports.audit_log import AuditQuery

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation

POLL_SECONDS = 1
_HEADINGS = ["#", "TIME (UTC)", "ACTION", "WHO", "WHAT", "WHY"]
_COLOURS = {Action.FILE_REFUSED: "red", Action.FILE_BROKEN_OFF: "yellow", Action.FILE_SERVED: "green"}

# Each option is named for the field of AuditQuery that it sets.
_FILTERS = [
    click.option("--action", type=click.Choice(list(map(str, Action)))),
    click.option("--actor", metavar="NAME", help="Who asked: a token's name, or a user of the command line."),
    click.option("--address", metavar="IP", help="The client's address."),
    click.option("--index", metavar="NAME"),
    click.option("--project", type=ProjectName()),
    click.option("--version", type=VersionNumber()),
    click.option("--filename", metavar="FILE"),
    click.option("--sha256", type=Sha256()),
    click.option("--decision", type=click.Choice([effect.label for effect in Effect])),
    click.option("--rule", metavar="ID", help="The rule that decided, or that is waived."),
    click.option("--reference", metavar="REF", help="What a refusal quotes (D-...), or an id (Q-..., W-..., T-...)."),
    click.option("--since", type=When(), help="From when on: 7d ago, a date, or a date and time."),
    click.option("--until", type=When(), help="Until when, that moment not included."),
]


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group(cls=Group)
def audit() -> None:
    """Ask the audit log, prove it, and keep it."""


for command in (exposure, verify, export, checkpoint, key, rotate_key, prune):
    audit.add_command(command)


@audit.command()
@_filtered
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="The most to show.")
@click.option("--after", "after_seq", type=click.IntRange(0), default=0, metavar="N", help="Only what follows entry N.")
@click.option("--before", "before_seq", type=click.IntRange(1), metavar="N", help="Only what precedes entry N.")
@click.option("--oldest-first", is_flag=True)
@click.pass_obj
def search(invocation: Invocation, /, oldest_first: bool, **filters: Any) -> None:  # noqa: FBT001 - passed by name
    """Find entries that match all of the options, newest first."""
    query = AuditQuery(**filters, newest_first=not oldest_first)

    async def work(installation: "Installation") -> list[Recorded]:
        return await installation.audit_log.search(query)

    found = invocation.run(work)
    lines = _lines(found) if found else ["Nothing in the audit log matches."]
    invocation.answer({"entries": [_document(one) for one in found]}, lines)


@audit.command()
@_filtered
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to begin with.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C; as JSON, one document a line.")
@click.pass_obj
def tail(invocation: Invocation, /, follow: bool, limit: int, **filters: Any) -> None:  # noqa: FBT001 - passed by name
    """Show the newest entries, oldest of them first."""

    async def work(installation: "Installation") -> None:
        newest = await installation.audit_log.search(AuditQuery(**filters, limit=limit))
        newest.reverse()
        if not follow:
            invocation.answer({"entries": [_document(one) for one in newest]}, _lines(newest))
            return
        _print(invocation, newest)
        last = newest[-1].seq if newest else 0
        while True:
            await asyncio.sleep(POLL_SECONDS)
            query = AuditQuery(**filters, after_seq=last, newest_first=False)
            if newer := await installation.audit_log.search(query):
                _print(invocation, newer)
                last = newer[-1].seq

    with contextlib.suppress(KeyboardInterrupt):
        invocation.run(work)


def _print(invocation: Invocation, found: Sequence[Recorded]) -> None:
    if invocation.json:
        for one in found:
            say_json(_document(one), indent=None)
    else:
        say(*_lines(found)[1:])


def _document(one: Recorded) -> dict[str, Any]:
    return {"seq": one.seq, "entry": plain(one.entry)}


def _lines(found: Sequence[Recorded]) -> list[Line]:
    return table(_HEADINGS, [_row(one) for one in found])


def _row(one: Recorded) -> list[Text]:
    entry = one.entry
    return [
        str(one.seq),
        moment(entry.time, seconds=True),
        Painted(entry.action, _COLOURS.get(entry.action)),
        _who(entry.actor),
        _what(entry),
        _why(entry),
    ]


def _who(actor: Actor) -> str:
    installer = f"{actor.installer} {actor.installer_version or ''}".strip() if actor.installer else None
    name = f"{actor.name} ({actor.token})" if actor.token else actor.name
    return ", ".join(part for part in (name, actor.address, installer) if part)


def _what(entry: Entry) -> str:
    match entry.action:
        case Action.POLICY_CHANGED:
            return f"index {entry.index}"
        case Action.FEED_CHANGED:
            return f"feed {entry.details.get('feed')}"
        case Action.TOKEN_CREATE | Action.TOKEN_MINT | Action.TOKEN_REVOKE:
            return f"{entry.reference} {entry.details.get('name')}"
        case Action.ACCESS_REFUSED:
            return entry.reference or ""
        case _:
            what = str(entry.details.get("target") or entry.filename or entry.project or "")
            return f"{what}, {part}" if (part := entry.details.get("part")) else what


def _why(entry: Entry) -> str:
    match entry.action:
        case Action.POLICY_CHANGED:
            return f"{entry.details.get('policy')} {_short(entry.policy_digest)}{_before(entry)}"
        case Action.FEED_CHANGED:
            return f"{entry.details.get('records')} records, {_short(entry.details.get('snapshot'))}{_before(entry)}"
        case Action.TOKEN_CREATE | Action.TOKEN_MINT:
            return _granted(entry)
        case Action.ACCESS_REFUSED:
            return str(entry.details.get("why", ""))
        case Action.DECISION_CHANGED:
            return f"now {entry.details.get('to')}: {_reason(entry)}"
        case _:
            return _reason(entry)


def _granted(entry: Entry) -> str:
    indexes, projects = (", ".join(entry.details.get(name, ())) for name in ("indexes", "projects"))
    return f"{entry.details.get('role')} for {projects} of {indexes}, until {entry.details.get('expires_at')}"


def _before(entry: Entry) -> str:
    before = entry.details.get("before")
    return f", before {_short(before)}" if before else ""


def _short(digest: object) -> str:
    return str(digest or "")[:12]


def _reason(entry: Entry) -> str:
    reason = entry.details.get("reason") or next(
        (verdict.get("reason", "") for verdict in entry.verdicts if verdict.get("rule") == entry.rule), ""
    )
    return ": ".join(part for part in (entry.rule, str(reason)) if part) or (entry.decision or "")
