"""`pinfold explain`: what would be decided, by which rules, on which evidence, and what would change the answer."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Command, Invocation
from pinfold.cli.parameters import TargetType
from pinfold.cli.terminal import Line, Painted, Text, table
from pinfold.cli.verdicts import file_lines, marks, telling, wants_feed, word_of
from pinfold.domain.duration import short_duration
from pinfold.domain.evidence import NO_FEED
from pinfold.domain.names import DEFAULT_INDEX
from pinfold.domain.project import StatusMarker
from pinfold.domain.target import ProjectTarget, Target

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.usecases.explain import ExplainedRelease, Explanation

NEWEST = 15
"""Releases that are always shown; older ones only where there is something to say of them."""


@click.command(cls=Command)
@click.argument("target", type=TargetType())
@click.option("--index", "index_name", default=DEFAULT_INDEX, metavar="NAME", help="The index; main without it.")
@click.option("--all", "everything", is_flag=True, help="Every release of a project, also old ones that pass.")
@click.pass_context
def explain(context: click.Context, target: Target, index_name: str, everything: bool) -> None:  # noqa: FBT001
    """Tell what would be decided of a TARGET now, and why: exit code 1 where every file that it means is refused."""
    from pinfold.usecases.explain import Explain, document

    async def work(installation: "Installation") -> "Explanation":
        return await Explain(installation.gate, installation.audit_log).explain(installation.index(index_name), target)

    invocation = context.ensure_object(Invocation)
    explanation = invocation.run(work, may_begin=True)
    invocation.answer(document(explanation), _lines(explanation, everything=everything))
    if explanation.refused:
        context.exit(REFUSED)


def _lines(explanation: "Explanation", *, everything: bool) -> Iterator[Line]:
    yield from _heading(explanation)
    if isinstance(explanation.target, ProjectTarget) or len(explanation.releases) > 1:
        yield from _releases(explanation, everything=everything)
    else:
        for release in explanation.releases:
            yield from file_lines(explanation.project, release.files)
    if explanation.rejected:
        yield ""
        yield Painted("Never served, whatever the policy:", bold=True)
        yield from table(["FILE", "WHY"], [[entry.filename, entry.why] for entry in explanation.rejected])


def _heading(explanation: "Explanation") -> Iterator[Line]:
    project, listing = explanation.project, explanation.project.found.listing
    policy = project.index.policy
    yield [
        Painted(str(explanation.target), bold=True),
        f" in index {project.index.name}, by policy {policy.name} ({policy.digest[:12]})",
    ]
    yield f"upstream {project.found.source.name}, asked {short_duration(project.judged_at - listing.fetched_at)} ago"
    if project.found.stale:
        yield Painted("the upstream fails now: this may be out of date", "yellow")
    if any(wants_feed(judged) for release in explanation.releases[:1] for judged in release.files):
        told = f"{NO_FEED.why}, so that malware and vulnerabilities are not known here: pinfold feed status"
        yield Painted(told, "yellow")
    if listing.missing:
        yield Painted("the upstream has no such project any more", "yellow")
    status = listing.project.status
    if status.marker is not StatusMarker.ACTIVE:
        told = f": {status.reason}" if status.reason else ""
        yield Painted(f"the upstream calls the project {status.marker.value}{told}", "yellow")


def _releases(explanation: "Explanation", *, everything: bool) -> Iterator[Line]:
    shown = [
        release
        for position, release in enumerate(explanation.releases)
        if everything or position < NEWEST or telling(release.gravest) is not None
    ]
    if shown:
        yield ""
        yield from table(["RELEASE", "FILES", "VERDICT", "WHY"], [_row(release) for release in shown])
    if hidden := len(explanation.releases) - len(shown):
        yield f"and {hidden} older releases, all allowed; --all shows them"
    yield ""
    if explanation.project.last_good is None:
        yield Painted("Nothing is offered to an install that pins no version.", "red")
    else:
        yield ["An install that pins no version is offered ", Painted(explanation.project.last_good, "green"), "."]
    refused = next((release.refused[0].file for release in explanation.releases if release.refused), None)
    if refused is not None:
        name = f"{explanation.project.name}=={refused.version}" if refused.version else refused.filename
        yield f"More: pinfold explain {name}"


def _row(release: "ExplainedRelease") -> list[Text]:
    gravest, refused, all_files = release.gravest, len(release.refused), len(release.files)
    count = str(all_files) if refused in (0, all_files) else f"{refused} of {all_files}"
    told = telling(release.gravest)
    why = [f"{told.rule}: {told.finding.reason}"] if told else []
    return [release.version or "-", count, word_of(gravest), "; ".join([*why, *marks(release.files, told)])]
