"""`pinfold lock`: lock files against what an index serves, and pin sets back into lock files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinfold.cli.invocation import REFUSED, Group, Invocation
from pinfold.cli.lock_files import lock_texts
from pinfold.cli.terminal import Line, Painted, Progress, Text, note, table
from pinfold.domain.errors import InvalidRecord
from pinfold.domain.names import DEFAULT_INDEX

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.settings import Settings
    from pinfold.usecases.check_lock import CheckedRelease
    from pinfold.usecases.export_lock import ExportedLock
    from pinfold.usecases.indexes import Index

REASONS_SHOWN = 3


@click.group(cls=Group)
def lock() -> None:
    """Ask whether lock files would be served, and write pin sets as lock files."""


@lock.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--index", "index_name", default=DEFAULT_INDEX, metavar="NAME", help="The index; main without it.")
@click.pass_context
def check(context: click.Context, files: Sequence[Path], index_name: str) -> None:
    """Tell whether every file of lock FILEs would be served now: exit code 1 where one would not.

    Of each release that would not it tells why, and which release is the nearest that would.
    """
    from pinfold.usecases.check_lock import CheckLock, report_document
    from pinfold.usecases.pins import read_locks

    locks = read_locks(lock_texts(files))
    pins = [pin for each in locks for pin in each.pins]
    progress = Progress("lock")

    async def work(installation: "Installation") -> tuple["Index", list["CheckedRelease"]]:
        index = installation.index(index_name)
        checker = CheckLock(installation.gate, installation.blobs)
        return index, await checker.check(index, pins, lambda done, of: progress("projects", done, of))

    invocation = context.ensure_object(Invocation)
    try:
        index, releases = invocation.run(work, may_begin=True)
    finally:
        progress.end()
    note(*(f"{each.source}: not looked at: {what}" for each in locks for what in each.left_out))
    invocation.answer(report_document(index, releases), _report(index, releases))
    if any(release.failing for release in releases):
        context.exit(REFUSED)


@lock.command()
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--index", "index_name", metavar="NAME", help="The index whose pin set it is, in place of the set's name."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["pylock", "requirements"]),
    default="pylock",
    help="pylock.toml (the default), or a requirements file with hashes.",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Not on the terminal.")
@click.pass_context
def export(context: click.Context, name: str | None, index_name: str | None, kind: str, output: Path | None) -> None:
    """Write pin set NAME as a lock file, which installers take: exit code 1 where it cannot hold all of it."""
    from pinfold.locks.requirements import write_requirements
    from pinfold.usecases.export_lock import ExportedLock, ExportLock, releases_twice
    from pinfold.usecases.pins import Pins

    if (name is None) == (index_name is None):
        raise click.UsageError("name a pin set, or an index by --index", context)

    async def work(installation: "Installation") -> "ExportedLock":
        index = _pinned_index(installation, name, index_name)
        found = await Pins(installation.pins, installation.clock).show(name or index.pins or "")
        for project in releases_twice(found.pins):
            note(f"several releases of {project} are pinned: installers take only one from a lock")
        if kind == "requirements":
            return ExportedLock(write_requirements(found.pins), ())
        return await ExportLock(installation.gate).pylock(index, _root(installation.settings, index), found.pins)

    invocation = context.ensure_object(Invocation)
    exported = invocation.run(work)
    note(*(f"left out {what}" for what in exported.left_out))
    if output is None:
        invocation.answer({"lock": exported.text, "left_out": list(exported.left_out)}, exported.text.splitlines())
    else:
        output.write_text(exported.text, encoding="utf-8")
        invocation.answer({"written": str(output), "left_out": list(exported.left_out)}, [f"Written to {output}."])
    if exported.left_out:
        context.exit(REFUSED)


def _pinned_index(installation: "Installation", name: str | None, index_name: str | None) -> "Index":
    """Return the index that a lock leads installers to: one that is limited to the set, or else main."""
    if index_name is not None:
        index = installation.index(index_name)
        if index.pins is None:
            raise InvalidRecord(f"index {index_name} is limited to no pin set")
        return index
    limited = (index for index in installation.indexes.values() if index.pins == name)
    return next(limited, installation.indexes[DEFAULT_INDEX])


def _root(settings: "Settings", index: "Index") -> str:
    """Return the address of an index, as clients reach it."""
    server = settings.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    base = server.base_url or f"http://{host}:{server.port}"
    return base if index.name == DEFAULT_INDEX else f"{base}/{index.name}"


def _report(index: "Index", releases: Sequence["CheckedRelease"]) -> Iterator[Line]:
    failing = [release for release in releases if release.failing]
    if failing:
        yield from table(["RELEASE", "FILES", "ANSWER", "WHY", "NEAREST"], [_row(release) for release in failing])
        yield ""
    waiting = sum(file.to_inspect for release in releases for file in release.files)
    if waiting:
        yield f"{waiting} files were never inspected: that is done when somebody first asks for them."
    count = f"{len(releases)} release{'' if len(releases) == 1 else 's'}"
    if failing:
        yield Painted(f"Index {index.name} would not serve {len(failing)} of {count} whole.", "red", bold=True)
    else:
        yield Painted(f"Index {index.name} would serve every file of {count}.", "green", bold=True)


def _row(release: "CheckedRelease") -> list[Text]:
    failing, all_files = release.failing, len(release.files)
    count = str(all_files) if len(failing) == all_files else f"{len(failing)} of {all_files}"
    answers = ", ".join(dict.fromkeys(file.answer.value for file in failing))
    reasons = list(dict.fromkeys(file.why for file in failing))
    why = "; ".join(reasons[:REASONS_SHOWN])
    if len(reasons) > REASONS_SHOWN:
        why += f"; and {len(reasons) - REASONS_SHOWN} more"
    return [Painted(f"{release.project}=={release.version}", bold=True), count, answers, why, release.nearest or "-"]
