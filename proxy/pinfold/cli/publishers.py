"""`pinfold publishers`: who vouches for a project's files, as learnt and as decided by hand."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import ProjectName, TargetType, operating_system_user
from pinfold.cli.terminal import Line, Painted, moment, note, table
from pinfold.domain.errors import NotFound
from pinfold.domain.evidence import plain
from pinfold.domain.names import DEFAULT_INDEX
from pinfold.domain.provenance import PublisherKind, PublisherPin
from pinfold.domain.records import PublisherRecord
from pinfold.domain.release_lines import LineHistory
from pinfold.domain.target import Target

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation

_needs_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; others will read it.")
_takes_index = click.option(
    "--index", "index_name", default=DEFAULT_INDEX, metavar="NAME", help="The index; main without it."
)


@click.group(cls=Group)
def publishers() -> None:
    """Show who vouches for projects, pin who may, and accept that somebody else does."""


@publishers.command()
@click.argument("project", type=ProjectName())
@click.option(
    "--kind",
    type=click.Choice(list(PublisherKind), case_sensitive=False),
    default=PublisherKind.GITHUB,
    help="The service; GitHub without it.",
)
@click.option("--repository", metavar="OWNER/NAME", help="On GitHub or GitLab.")
@click.option("--workflow", metavar="FILE", help="The workflow's file; any without it.")
@click.option("--environment", metavar="NAME", help="The deployment environment; any without it.")
@click.option("--email", metavar="ACCOUNT", help="The service account, for Google.")
@_needs_reason
@click.pass_obj
def pin(invocation: Invocation, /, project: str, reason: str, **named: Any) -> None:
    """Let PROJECT's files come from one publisher only, or from others that are pinned: within a second."""
    from pinfold.usecases.publishers import Publishers, enforces_pins

    publisher = _publisher(**named)

    async def work(installation: "Installation") -> tuple[PublisherRecord, list[str]]:
        use = Publishers(installation.records, installation.gate, installation.clock)
        record = await use.pin(project, publisher, reason, operating_system_user())
        return record, [name for name, index in installation.indexes.items() if not enforces_pins(index, project)]

    record, idle = invocation.run(work)
    invocation.answer(plain(record), [f"{record.id}: {project} is pinned to {publisher}."])
    if idle:
        told = f"It changes nothing in {', '.join(sorted(idle))}: no rule provenance judges {project} there."
        note(Painted(told, "yellow"))


@publishers.command()
@click.argument("target", type=TargetType())
@_needs_reason
@_takes_index
@click.pass_obj
def accept(invocation: Invocation, target: Target, reason: str, index_name: str) -> None:
    """Accept who published TARGET, a release or a file, for one of the project's own; or that it has no attestation."""
    from pinfold.usecases.publishers import Publishers

    async def work(installation: "Installation") -> list[PublisherRecord]:
        use = Publishers(installation.records, installation.gate, installation.clock)
        return await use.accept(installation.index(index_name), target, reason, operating_system_user())

    records = invocation.run(work)
    invocation.answer(
        {"records": plain(records)}, [f"{record.id}: {record.project} is accepted {_by(record)}." for record in records]
    )


@publishers.command()
@click.argument("record_id", metavar="ID")
@click.pass_obj
def revoke(invocation: Invocation, record_id: str) -> None:
    """End the pin or acceptance ID."""
    from pinfold.usecases.publishers import Publishers

    async def work(installation: "Installation") -> PublisherRecord:
        use = Publishers(installation.records, installation.gate, installation.clock)
        return await use.revoke(record_id, operating_system_user())

    record = invocation.run(work)
    invocation.answer(
        plain(record), [f"{record.id}: {record.decision.value} of {record.project} {_by(record)} has ended."]
    )


@publishers.command("list")
@click.argument("project", type=ProjectName(), required=False)
@_takes_index
@click.pass_obj
def list_(invocation: Invocation, project: str | None, index_name: str) -> None:
    """Show who is pinned and accepted; of a PROJECT also who was learnt to publish it, by release line."""

    async def work(installation: "Installation") -> tuple[Sequence[PublisherRecord], Sequence[LineHistory]]:
        records = (await installation.records.current()).publishers
        if project is None:
            return records, ()
        judged = await installation.gate.judge_project(installation.index(index_name), project)
        if judged is None:
            raise NotFound(f"no upstream of index {index_name} has a project {project}")
        learnt = judged.provenance.history.majors() if judged.provenance else ()
        return [record for record in records if record.project == project], learnt

    records, learnt = invocation.run(work)
    document: dict[str, Any] = {"records": plain(records)}
    if project is not None:
        document["learnt"] = plain(learnt)
    invocation.answer(document, _listing(records, learnt, project))


def _publisher(
    kind: str, repository: str | None, workflow: str | None, environment: str | None, email: str | None
) -> PublisherPin:
    if PublisherKind(kind) is PublisherKind.GOOGLE:
        if not email or repository or workflow or environment:
            raise click.UsageError("a Google account is named by --email alone")
        return PublisherPin(PublisherKind.GOOGLE, email=email)
    if not repository or "/" not in repository.strip("/") or email:
        raise click.UsageError(f"a publisher on {kind} is named by --repository OWNER/NAME")
    return PublisherPin(PublisherKind(kind), repository, workflow or None, environment or None)


def _by(record: PublisherRecord) -> str:
    return f"by {record.publisher}" if record.publisher else "without attestations"


def _listing(records: Sequence[PublisherRecord], learnt: Sequence[LineHistory], project: str | None) -> Iterator[Line]:
    if records:
        yield from table(
            ["ID", "DECISION", "PROJECT", "PUBLISHER", "SINCE", "BY", "REASON"],
            [
                [
                    record.id,
                    record.decision.value,
                    record.project,
                    str(record.publisher or "no attestations"),
                    moment(record.created_at),
                    record.created_by,
                    record.reason,
                ]
                for record in records
            ],
        )
    else:
        yield "Nobody is pinned or accepted."
    if project is None:
        return
    yield ""
    if not learnt:
        yield f"No file of {project} is known to be attested."
        return
    yield from table(["LINE", "ATTESTED SINCE", "PUBLISHER", "FIRST FILE"], _learnt(learnt))


def _learnt(lines: Sequence[LineHistory]) -> Iterator[list[str]]:
    for line in lines:
        since = f"{line.attested_version} ({moment(line.attested_since)})"
        if not line.publishers:
            yield [line.line, since, "not verified yet", ""]
        for use in line.publishers:
            yield [line.line, since, str(use.publisher), f"{use.version} ({moment(use.at)})"]
