"""`pinfold audit exposure`: who fetched it."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import Command, Invocation
from pinfold.cli.parameters import TargetType
from pinfold.cli.terminal import Line, Painted, Progress, Text, moment, say, table
from pinfold.domain.errors import InvalidDocument
from pinfold.domain.target import Target
from pinfold.usecases.exposed_clients import Client, Fate, Summary, client_document
from pinfold.usecases.exposure import Exposure, Request, request_document

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.usecases.target_documents import Named

FILES_SHOWN = 3
TARGETS_SHOWN = 40
_HEADINGS = ("CLIENT", "ADDRESS", "CI", "FIRST (UTC)", "LAST (UTC)", "TIMES", "INDEX", "FILES", "WITH")

_COLUMNS = (
    *("seq", "time", "fate", "actor", "token", "address", "installer", "installer_version", "python", "ci", "index"),
    *(
        "project",
        "version",
        "filename",
        "sha256",
        "decision",
        "rule",
        "reason",
        "reference",
        "method",
        "part",
        "bytes_sent",
    ),
    *("broken_off", "policy_digest", "evidence_digest", "user_agent", "targets"),
)


@click.command(cls=Command)
@click.argument("targets", metavar="[TARGET]...", nargs=-1, type=TargetType())
@click.option(
    "--from",
    "documents",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Ask for everything that FILE names: OSV advisories (.json, or a folder of them), a lock (.toml), or a "
    "requirements file.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Answer with every request as a line of CSV.")
@click.pass_context
def exposure(context: click.Context, targets: tuple[Target, ...], documents: tuple[Path, ...], as_csv: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Tell who was served a file of any TARGET: when, with what, and who tried in vain.

    For people it is grouped by client; --json and --csv give every request.
    """
    invocation = context.ensure_object(Invocation)
    if not targets and not documents:
        raise click.UsageError("name a TARGET, or a document with --from", context)
    if as_csv and invocation.json:
        raise click.UsageError("choose --json or --csv", context)

    async def work(installation: "Installation") -> None:
        named = dict.fromkeys(targets, "") | await _read(documents, installation).resolve(installation.audit_log)
        use = Exposure(installation.audit_log)
        if as_csv:
            await _write_csv(use.requests(named))
            return
        progress = Progress("audit log")
        summary = await use.summary(named, partial(progress, "requests counted"))
        progress.end()
        if invocation.json:
            await _write_json(_document(named, summary), use.requests(named))
        else:
            say(*_lines(named, summary))

    invocation.run(work)


def _read(documents: Sequence[Path], installation: "Installation") -> "Named":
    from pinfold.usecases.target_documents import Named, parse_targets

    whole = Named()
    for path in documents:
        for document in sorted(path.glob("**/*.json")) if path.is_dir() else [path]:
            try:
                text = document.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidDocument(str(document), [f"cannot be read: {error}"]) from error
            named = parse_targets(text, str(document), installation.clock.now())
            whole.targets |= named.targets
            whole.claims += named.claims
    return whole


async def _write_json(document: dict[str, Any], requests: AsyncIterator[Request]) -> None:
    """Write one document, to which the requests are added as they are found: there may be more than fit into memory."""
    click.echo(json.dumps(document, indent=2).removesuffix("\n}") + ',\n  "requests": [', nl=False)
    between = "\n    "
    async for request in requests:
        click.echo(between + json.dumps(request_document(request)), nl=False)
        between = ",\n    "
    click.echo("\n  ]\n}")


async def _write_csv(requests: AsyncIterator[Request]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    async for request in requests:
        document = request_document(request)
        document["targets"] = " ".join(document["targets"])
        writer.writerow([_cell(document[column]) for column in _COLUMNS])


def _cell(value: object) -> object:
    """Return what a spreadsheet shows as it stands: a client chooses its user agent, and could write a formula."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _document(named: dict[Target, str], summary: Summary) -> dict[str, Any]:
    return {
        "targets": [
            {
                "target": str(target),
                "named_by": place or None,
                "requests": summary.targets[target].document(),
            }
            for target, place in named.items()
        ],
        "exposed": [client_document(client) for client in summary.exposed],
        "refused": [client_document(client) for client in summary.refused],
    }


def _lines(named: dict[Target, str], summary: Summary) -> Iterator[Line]:
    what = str(next(iter(named))) if len(named) == 1 else f"the {len(named)} targets"
    exposed, refused = summary.exposed, summary.refused
    if not exposed:
        yield Painted(f"Nobody was served {what} by this installation.", "green", bold=True)
    else:
        yield Painted(
            f"{_count(len(exposed), 'client')} got {what}, in {_count(summary.count(exposed=True), 'request')}.",
            "red",
            bold=True,
        )
        yield ""
        yield from table(_HEADINGS, [_row(client, client.files, _times(client)) for client in exposed])
    if refused:
        yield ""
        yield f"{_count(len(refused), 'client')} tried in vain, and got nothing:"
        yield ""
        yield from table(
            _HEADINGS, [_row(client, client.refused_files, str(client.fates[Fate.REFUSED])) for client in refused]
        )
    if len(named) > 1:
        yield from _by_target(named, summary)
    if exposed:
        yield ""
        yield "Every request, with decisions and hashes: the same command with --json or --csv."


def _by_target(named: dict[Target, str], summary: Summary) -> Iterator[Line]:
    fates = summary.targets
    concerned = [target for target in named if any(fates[target].document().values())]
    if not concerned:
        return
    yield ""
    yield from table(
        ["TARGET", "GOT IT", "REFUSED", "NAMED BY"],
        [
            [
                str(target),
                str(fates[target].count(exposed=True)),
                str(fates[target].count(exposed=False)),
                named[target],
            ]
            for target in concerned[:TARGETS_SHOWN]
        ],
    )
    if len(concerned) > TARGETS_SHOWN:
        yield f"and {len(concerned) - TARGETS_SHOWN} more; --json has them all"


def _row(client: Client, files: Iterable[str], times: str) -> list[Text]:
    return [
        Painted(f"{client.name} ({client.token})" if client.token else client.name, bold=True),
        client.address or "-",
        {True: "yes", False: "no", None: "-"}[client.ci],
        moment(client.first),
        moment(client.last),
        times,
        ", ".join(sorted(client.indexes)),
        _some(sorted(files)),
        _some(sorted(client.installers), "; "),
    ]


def _times(client: Client) -> str:
    told = {Fate.UNCHANGED: "had it", Fate.BROKEN_OFF: "broken off", Fate.REFUSED: "refused"}
    whole = [str(client.fates[Fate.SERVED])] if client.fates[Fate.SERVED] else []
    return ", ".join(whole + [f"{client.fates[fate]} {word}" for fate, word in told.items() if client.fates[fate]])


def _some(names: Sequence[str], between: str = ", ") -> str:
    shown = between.join(names[:FILES_SHOWN])
    return shown if len(names) <= FILES_SHOWN else f"{shown} and {len(names) - FILES_SHOWN} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
