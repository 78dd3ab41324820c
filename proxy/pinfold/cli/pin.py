"""`pinfold pin`: the exact files that indexes are limited to."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinfold.cli.invocation import Group, Invocation
from pinfold.cli.lock_files import lock_texts
from pinfold.cli.parameters import operating_system_user
from pinfold.cli.terminal import Line, Painted, Text, moment, note, table
from pinfold.domain.pins import PinAct, PinSet, PinSetVersion, ProjectChange, releases

if TYPE_CHECKING:
    from pinfold.bootstrap import Installation
    from pinfold.usecases.pins import PinChange

CHANGES_SHOWN = 200
"""Lines of a table; --json has all of them."""
VERSIONS_SHOWN = 3

_named = click.argument("name", metavar="NAME")


@click.group(cls=Group)
def pin() -> None:
    """Limit indexes to exact files: pin sets, imported from locks, in versions that can be gone back to.

    An index with `pins = "NAME"` in its settings serves the files of that set and nothing else.
    """


@pin.command("import")
@_named
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--replace/--merge",
    default=True,
    help="Pin exactly what the files do (the default), or that besides what is pinned.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.pass_obj
def import_(invocation: Invocation, name: str, files: Sequence[Path], replace: bool, dry_run: bool) -> None:  # noqa: FBT001 - click passes flags by name
    """Pin what lock FILEs do: pylock.toml, requirements with hashes, uv.lock, poetry.lock, pdm.lock, Pipfile.lock.

    It holds in all running processes within a second.
    """
    from pinfold.usecases.pins import Pins, read_locks

    locks = read_locks(lock_texts(files))

    async def work(installation: "Installation") -> "PinChange":
        pins, actor = Pins(installation.pins, installation.clock), operating_system_user()
        change = await pins.plan_import(name, locks, merge=not replace, actor=actor)
        if change.changes and not dry_run:
            await pins.apply(change, actor)
        return change

    change = invocation.run(work)
    left_out = [f"{lock.source}: left out {what}" for lock in locks for what in lock.left_out]
    note(*left_out)
    invocation.answer(
        {**_change_document(change, dry_run=dry_run), "left_out": left_out}, _told(change, dry_run=dry_run)
    )


@pin.command("list")
@click.argument("name", metavar="[NAME]", required=False)
@click.pass_obj
def list_(invocation: Invocation, name: str | None) -> None:
    """Show the pin sets, or the versions of one."""
    from pinfold.usecases.pins import version_document

    async def work(installation: "Installation") -> tuple[list[PinSetVersion], dict[str, list[str]]]:
        return await installation.pins.history(name), _used_by(installation)

    history, used_by = invocation.run(work)
    shown = history if name else [one for one in {each.name: each for each in history}.values() if _is_there(one)]
    documents = [{**version_document(one), "indexes": used_by.get(one.name, [])} for one in shown]
    invocation.answer({"pin_sets" if name is None else "versions": documents}, _listing(shown, used_by, name))


@pin.command()
@_named
@click.option("--version", "number", type=click.IntRange(min=1), metavar="N", help="Another version than the present.")
@click.pass_obj
def show(invocation: Invocation, name: str, number: int | None) -> None:
    """Show what a pin set holds."""
    from pinfold.usecases.pins import Pins, version_document

    async def work(installation: "Installation") -> PinSet:
        return await Pins(installation.pins, installation.clock).show(name, number)

    found = invocation.run(work)
    document = {
        **version_document(found.head),
        "pins": [
            {"project": one.project, "version": one.version, "sha256": one.sha256, "filename": one.filename}
            for one in found.pins
        ],
    }
    invocation.answer(document, _contents(found))


@pin.command()
@_named
@click.argument("older", type=click.IntRange(min=1), required=False)
@click.argument("newer", type=click.IntRange(min=1), required=False)
@click.pass_obj
def diff(invocation: Invocation, name: str, older: int | None, newer: int | None) -> None:
    """Show how a pin set differs from the version before, or how its versions OLDER and NEWER differ."""
    from pinfold.usecases.pins import Pins, change_document

    async def work(installation: "Installation") -> tuple[ProjectChange, ...]:
        return await Pins(installation.pins, installation.clock).difference(name, older, newer)

    changes = invocation.run(work)
    invocation.answer(
        {"name": name, "changes": [change_document(one) for one in changes]},
        _changes(changes) if changes else ["No difference."],
    )


@pin.command()
@_named
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@click.pass_obj
def rollback(invocation: Invocation, name: str, number: int) -> None:
    """Go back to an earlier VERSION of a pin set, as a new version: within a second, in all processes."""
    from pinfold.usecases.pins import Pins

    async def work(installation: "Installation") -> "PinChange":
        pins, actor = Pins(installation.pins, installation.clock), operating_system_user()
        change = await pins.plan_rollback(name, number, actor)
        if change.changes:
            await pins.apply(change, actor)
        return change

    change = invocation.run(work)
    invocation.answer(_change_document(change, dry_run=False), _told(change, dry_run=False))


@pin.command()
@_named
@click.pass_obj
def remove(invocation: Invocation, name: str) -> None:
    """End a pin set that no index is limited to; its versions stay, and can be gone back to."""
    from pinfold.usecases.pins import Pins, version_document

    async def work(installation: "Installation") -> PinSetVersion:
        used_by = _used_by(installation).get(name, [])
        return await Pins(installation.pins, installation.clock).remove(name, used_by, operating_system_user())

    removed = invocation.run(work)
    invocation.answer(version_document(removed), [f"There is no pin set {name} any more."])


def _used_by(installation: "Installation") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for index in installation.indexes.values():
        if index.pins is not None:
            found.setdefault(index.pins, []).append(index.name)
    return found


def _is_there(version: PinSetVersion) -> bool:
    return version.act is not PinAct.REMOVE


def _change_document(change: "PinChange", *, dry_run: bool) -> dict[str, Any]:
    from pinfold.usecases.pins import change_document, version_document

    return {
        "changed": bool(change.changes) and not dry_run,
        "before": change.before.number if change.before else None,
        "version": version_document(change.after.head),
        "changes": [change_document(one) for one in change.changes],
    }


def _told(change: "PinChange", *, dry_run: bool) -> Iterator[Line]:
    head = change.after.head
    if not change.changes:
        yield f"Pin set {head.name} pins that already: nothing changes."
        return
    yield from _changes(change.changes)
    yield ""
    files, projects = f"{head.files} files", len({one.project for one in change.after.pins})
    if dry_run:
        yield Painted(f"Pin set {head.name} would be version {head.number}: {files} of {projects} projects.", "yellow")
    else:
        yield Painted(f"Pin set {head.name} is version {head.number}: {files} of {projects} projects.", "green")


def _changes(changes: Sequence[ProjectChange]) -> Iterator[Line]:
    yield from table(["PROJECT", "BEFORE", "AFTER", "FILES"], [_row(change) for change in changes[:CHANGES_SHOWN]])
    if len(changes) > CHANGES_SHOWN:
        yield f"and {len(changes) - CHANGES_SHOWN} more projects; --json has them all"


def _row(change: ProjectChange) -> list[Text]:
    colour = "red" if not change.after else "green" if not change.before else None
    files = ", ".join(f"{sign}{count}" for sign, count in (("+", change.added), ("-", change.removed)) if count)
    return [Painted(change.project, colour), _versions(change.before), _versions(change.after), files]


def _versions(versions: Sequence[str]) -> str:
    shown = ", ".join(versions[:VERSIONS_SHOWN]) or "-"
    return shown if len(versions) <= VERSIONS_SHOWN else f"{shown} and {len(versions) - VERSIONS_SHOWN} more"


def _listing(versions: Sequence[PinSetVersion], used_by: dict[str, list[str]], name: str | None) -> list[Line]:
    if not versions:
        return [
            f"There was never a pin set {name}." if name else "There are no pin sets: pinfold pin import makes one."
        ]
    rows = [
        [
            Painted(one.name, bold=True),
            str(one.number),
            one.act.value,
            str(one.files),
            moment(one.created_at),
            one.created_by,
            ", ".join(one.sources) or "-",
            ", ".join(used_by.get(one.name, [])) or "-",
        ]
        for one in versions
    ]
    return table(["NAME", "VERSION", "ACT", "FILES", "SINCE", "BY", "FROM", "INDEXES"], rows)


def _contents(found: PinSet) -> Iterator[Line]:
    head = found.head
    yield [
        Painted(f"{head.name}, version {head.number}", bold=True),
        f": {head.act.value} by {head.created_by} at {moment(head.created_at)} UTC, from {', '.join(head.sources)}",
    ]
    yield ""
    by_project: dict[str, list[Any]] = {}
    for one in found.pins:
        by_project.setdefault(one.project, []).append(one)
    yield from table(
        ["PROJECT", "VERSION", "FILES"],
        [[project, _versions(releases(pins)), str(len(pins))] for project, pins in by_project.items()],
    )
