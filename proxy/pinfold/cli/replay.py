"""`pinfold policy replay`: what a candidate would have decided of what was really asked for."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Command, Invocation
from pinfold.cli.parameters import When
from pinfold.cli.terminal import Line, Painted, moment, table

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.usecases.replay import Direction, Replay

FILES_SHOWN = 50


@click.command(cls=Command)
@click.argument("file", metavar="FILE")
@click.option("--since", type=When(), default="7d", show_default=True, help="From when on: 30d ago, or a date.")
@click.option("--index", metavar="NAME", help="Only what was asked for in one index.")
@click.pass_context
def replay(context: click.Context, file: str, since: datetime, index: str | None) -> None:
    """Tell what policy FILE would have decided of every file that was asked for, without asking any upstream.

    FILE is a document, or the name of a shipped policy. Each request is judged at its own moment, on the evidence of
    that moment. Exit code 1 where something would have been refused that was served.
    """
    from pinfold.adapters.filesystem.policy_files import PolicyFiles
    from pinfold.usecases.replay import Direction, ReplayPolicy, replay_document

    policy = PolicyFiles().load(file)

    async def work(installation: "Installation") -> "Replay":
        if index is not None:
            installation.index(index)
        use = ReplayPolicy(installation.audit_log, installation.audit_log, installation.records)
        return await use.run(policy, since, index)

    invocation = context.ensure_object(Invocation)
    found = invocation.run(work)
    invocation.answer(replay_document(found), _lines(found))
    if found.of(Direction.REFUSE):
        context.exit(REFUSED)


def _lines(found: "Replay") -> Iterator[Line]:
    from pinfold.usecases.replay import Direction

    yield [
        Painted(found.policy.name, bold=True),
        f" ({found.policy.digest[:12]}) on {found.judged} requests since {moment(found.since)} UTC",
    ]
    if found.without_evidence:
        yield Painted(
            f"{found.without_evidence} requests are not counted: the evidence of their day is not kept", "yellow"
        )
    if not found.changes:
        yield Painted("It would have decided as was decided.", "green")
    yield from _changes(found, Direction.REFUSE, "would have been refused, though served:", "red")
    yield from _changes(found, Direction.SERVE, "would have been served, though refused:", "yellow")


def _changes(found: "Replay", direction: "Direction", told: str, colour: str) -> Iterator[Line]:
    changes = found.of(direction)
    if not changes:
        return
    yield ""
    yield Painted(f"{len(changes)} {'file' if len(changes) == 1 else 'files'} {told}", colour, bold=True)
    files, requests = Counter[str](), Counter[str]()
    for change, asked in changes:
        files[change.rule] += 1
        requests[change.rule] += asked.requests
    yield from table(
        ["RULE", "FILES", "REQUESTS"], [[rule, str(count), str(requests[rule])] for rule, count in files.most_common()]
    )
    yield ""
    yield from table(
        ["FILE", "INDEX", "TIMES", "CLIENTS", "LAST (UTC)", "RULE"],
        [
            [
                change.filename,
                change.index,
                str(asked.requests),
                str(len(asked.clients)),
                moment(asked.last),
                f"{change.rule}: {asked.reason}" + (" (evidence is missing)" if asked.on_unknown else ""),
            ]
            for change, asked in changes[:FILES_SHOWN]
        ],
    )
    if len(changes) > FILES_SHOWN:
        yield f"and {len(changes) - FILES_SHOWN} more; --json has them all, with the clients"
