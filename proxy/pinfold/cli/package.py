"""`pinfold package`: what was published here, and taking it back."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.parameters import TargetType, operating_system_user
from pinfold.cli.terminal import Line, Painted, Text, moment, table
from pinfold.domain.evidence import plain
from pinfold.domain.names import DEFAULT_INDEX
from pinfold.domain.published import PublishedFile
from pinfold.domain.target import Target

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation

_needs_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; others will read it.")
_on_index = click.option(
    "--index", default=DEFAULT_INDEX, show_default=True, metavar="NAME", help="The index it was published on."
)


@click.group(cls=Group)
def package() -> None:
    """Show, yank and delete what was published here."""


@package.command("list")
@click.argument("target", type=TargetType(), required=False)
@click.option("--index", metavar="NAME", help="Only what was published on one index.")
@click.option("--all", "everything", is_flag=True, help="With what was deleted.")
@click.pass_obj
def list_(invocation: Invocation, target: Target | None, index: str | None, everything: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Show what was published: everything, or what a TARGET means."""
    from pinfold.usecases.packages import Packages

    async def work(installation: "Installation") -> list[PublishedFile]:
        return await Packages(installation.published, installation.clock).files(index, target)

    files = [each for each in invocation.run(work) if everything or each.deletion is None]
    invocation.answer({"files": [_document(each) for each in files]}, _listing(files))


@package.command()
@click.argument("target", type=TargetType())
@_on_index
@_needs_reason
@click.pass_obj
def yank(invocation: Invocation, target: Target, index: str, reason: str) -> None:
    """Have installers pass a TARGET over unless somebody pins it; they print the reason then."""
    _change(invocation, "yank", index, target, reason)


@package.command()
@click.argument("target", type=TargetType())
@_on_index
@_needs_reason
@click.pass_obj
def unyank(invocation: Invocation, target: Target, index: str, reason: str) -> None:
    """Take a yank back."""
    _change(invocation, "unyank", index, target, reason)


@package.command()
@click.argument("target", type=TargetType())
@_on_index
@_needs_reason
@click.pass_obj
def delete(invocation: Invocation, target: Target, index: str, reason: str) -> None:
    """Take a TARGET away for good. Its file names, and its project's name, are given to nothing else."""
    _change(invocation, "delete", index, target, reason)


def _change(invocation: Invocation, act: str, index: str, target: Target, reason: str) -> None:
    from pinfold.usecases.packages import Packages

    async def work(installation: "Installation") -> list[PublishedFile]:
        packages = Packages(installation.published, installation.clock)
        changes = {"yank": packages.yank, "unyank": packages.unyank, "delete": packages.delete}
        return await changes[act](index, target, reason, operating_system_user())

    files = invocation.run(work)
    done = {"yank": "yanked", "unyank": "not yanked any more", "delete": "deleted"}[act]
    invocation.answer(
        {"files": [_document(each) for each in files]}, [f"{each.file.filename} is {done}." for each in files]
    )


def _document(published: PublishedFile) -> dict[str, Any]:
    file = published.file
    return {
        "index": published.index,
        "project": published.project,
        "version": file.version,
        "filename": file.filename,
        "sha256": file.sha256,
        "size": file.size,
        "uploaded_at": plain(file.upload_time),
        "uploaded_by": published.by,
        "requires_python": file.requires_python,
        "yanked": file.yanked,
        "attested": isinstance(file.provenance, str),
        "deleted": plain(published.deletion),
    }


def _listing(files: Sequence[PublishedFile]) -> Iterator[Line]:
    if not files:
        yield "Nothing is published."
        return
    yield from table(
        ["INDEX", "FILE", "UPLOADED", "BY", "STATE"],
        [[each.index, each.file.filename, moment(each.file.upload_time), each.by, _state(each)] for each in files],
    )


def _state(published: PublishedFile) -> Text:
    if published.deletion is not None:
        return Painted(f"deleted by {published.deletion.by}: {published.deletion.reason}", "red")
    if published.file.yanked is not None:
        return Painted(f"yanked: {published.file.yanked}", "yellow")
    return "attested" if isinstance(published.file.provenance, str) else ""
