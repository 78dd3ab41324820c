"""`pinfold audit rotate-key` and `prune`: what is done to the audit log as a whole, and entered in it."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pinfold.audit.findings import spelled
from pinfold.audit.note import Verifier
from pinfold.cli.invocation import REFUSED, Command, Invocation
from pinfold.cli.parameters import When, operating_system_user
from pinfold.domain.audit_entry import Action, Entry

if TYPE_CHECKING:
    from pinfold.adapters.sqlite.audit_prune import Archive
    from pinfold.bootstrap import Installation


@click.command("rotate-key", cls=Command)
@click.option("--reason", metavar="TEXT", required=True, help="Why: kept in the log.")
@click.pass_obj
def rotate_key(invocation: Invocation, reason: str) -> None:
    """Sign the log with a new key from now on; whoever trusts the old one can follow to the new one.

    The old key signs a last checkpoint that names the new one, and is destroyed. Give the new public key to whoever
    verifies, and keep the checkpoint elsewhere: a stolen old key could begin another log, but not go on with this one.
    """
    from pinfold.adapters.sqlite.audit_tree import rotate_key as rotate

    async def work(installation: "Installation") -> tuple[Verifier, Verifier]:
        entry = _entry(Action.AUDIT_KEY_CHANGED, reason)
        return await rotate(installation.ledger, installation.audit_tree, entry)

    old, new = invocation.run(work)
    invocation.answer({"old": str(old), "key": str(new)}, [str(new)])


@click.command(cls=Command)
@click.option("--before", type=When(), required=True, help="Entries of earlier than this: 365d ago, or a date.")
@click.option(
    "--archive",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="A new file for the entries: an export, which pinfold audit verify FILE verifies for ever.",
)
@click.option("--reason", metavar="TEXT", default="retention", show_default=True, help="Why: kept in the log.")
@click.pass_context
def prune(context: click.Context, before: datetime, path: Path, reason: str) -> None:
    """Move old entries to an archive: they are exported, the export is verified, and then they are deleted.

    What remains is verified as before, and so is the archive. Exit code 1 where the archive does not verify: then
    nothing is deleted.
    """
    from pinfold.adapters.sqlite import audit_prune

    async def work(installation: "Installation") -> "Archive | None":
        made = await _archive(installation, before, path)
        if made is not None and made.verification.ok:
            await audit_prune.prune(installation.ledger, made, _entry(Action.AUDIT_PRUNED, reason))
        return made

    invocation = context.ensure_object(Invocation)
    archive = invocation.run(work)
    if archive is None:
        invocation.answer(
            {"pruned": None}, [f"No entry is older than {before:%Y-%m-%d %H:%M} UTC: nothing was pruned."]
        )
        return
    pruned = {"first": archive.first, "last": archive.last, "archive": str(path), "sha256": archive.sha256}
    if archive.verification.ok:
        said = f"Pruned {spelled(archive.first, archive.last)}; they are in {path}, sha256 {archive.sha256}."
        invocation.answer({"pruned": pruned}, [said])
        return
    problems: dict[str, Any] = asdict(archive.verification)
    lines = [f"{path} does not verify, so nothing was pruned:", *(one.text for one in archive.verification.problems)]
    invocation.answer({"pruned": None, "verification": problems}, lines)
    context.exit(REFUSED)


async def _archive(installation: "Installation", before: datetime, path: Path) -> "Archive | None":
    from pinfold.adapters.sqlite.audit_prune import archive
    from pinfold.adapters.sqlite.audit_reader import LogReader

    def make() -> "Archive | None":
        with LogReader.open(installation.data.ledger) as reader:
            state = reader.state()
            since = reader.first_since(before)
            last = state.size if since is None else since - 1
            if last <= state.pruned:
                return None
            return archive(reader, Verifier.parse(state.present_key), min(last, state.size), path)

    return await asyncio.to_thread(make)


def _entry(action: Action, reason: str) -> Entry:
    return Entry(action, datetime.now(UTC), operating_system_user(), details={"reason": reason})
