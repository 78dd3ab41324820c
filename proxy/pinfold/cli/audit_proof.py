"""`pinfold audit verify`, `export`, `checkpoint` and `key`: the audit log's proofs."""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.adapters.filesystem.signing_keys import SigningKeys
from pinfold.audit.checkpoint import LogKeys
from pinfold.audit.findings import Verification, spelled
from pinfold.audit.kept import split_notes
from pinfold.audit.note import Verifier
from pinfold.audit.verify_export import verify_export
from pinfold.cli.invocation import REFUSED, Command, Invocation
from pinfold.cli.parameters import When
from pinfold.cli.terminal import Line, Painted, note
from pinfold.domain.errors import InvalidNote, StoreError

if TYPE_CHECKING:
    from pinfold.adapters.sqlite.audit_reader import LogReader

_Document = click.Path(path_type=Path, dir_okay=False, exists=True)


class VerifierKeys(click.ParamType[tuple[Verifier, ...]]):
    """A public key, or a file with one key a line."""

    name = "VKEY|FILE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Verifier, ...]:
        """Return the keys."""
        path = Path(value)
        try:
            lines = path.read_text("utf-8").splitlines() if path.is_file() else [value]
            return tuple(Verifier.parse(line.strip()) for line in lines if line.strip())
        except (InvalidNote, OSError, UnicodeDecodeError) as error:
            self.fail(f"{value!r} is neither a file of keys nor a key: {error}", param, ctx)


@click.command(cls=Command)
@click.argument("file", required=False, type=click.File("rb"))
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=_Document,
    metavar="FILE",
    help="Checkpoints that were kept elsewhere. Only they show a log that was rewritten by whoever holds its key.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=VerifierKeys(),
    help="The log's public key; without it that of the data directory.",
)
@click.pass_context
def verify(
    context: click.Context,
    file: BinaryIO | None,
    keys: tuple[tuple[Verifier, ...], ...],
    checkpoints: tuple[Path, ...],
) -> None:
    """Verify the whole audit log, or FILE, an export of it, and name the first entry that is not what was logged.

    For an export, its public key (--key) is all that is needed, on any machine. Exit code 1 where anything is wrong.
    """
    from pinfold.adapters.sqlite.audit_verify import verify_store

    invocation = context.ensure_object(Invocation)
    kept = [found for path in checkpoints for found in _notes(path)]
    trusted = [key for given in keys for key in given]
    if file is not None:
        answer = verify_export(file, LogKeys.of(*(trusted or [_own_key(invocation)])), kept)
    else:
        with _reading(invocation) as reader:
            answer = verify_store(reader, trusted or [_own_key(invocation)], kept)
    document = {**asdict(answer), "ok": answer.ok, "kept": len(kept)}
    invocation.answer(document, _verdict(answer))
    if answer.ok and not kept:
        note(
            "Only a checkpoint kept elsewhere (--checkpoint FILE) can show that whoever holds the key rewrote the log."
        )
    if not answer.ok:
        context.exit(REFUSED)


@click.command(cls=Command)
@click.option(
    "--after", type=click.IntRange(0), metavar="N", help="Only what follows entry N: where an export broke off."
)
@click.option("--since", type=When(), help="Only from when on: 7d ago, a date, or a date and time.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="A new file to write to."
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=_Document,
    metavar="FILE",
    help="Checkpoints that were kept elsewhere, to be added with the proof that they are of this log.",
)
@click.pass_obj
def export(
    invocation: Invocation,
    after: int | None,
    since: datetime | None,
    form: str,
    output: Path | None,
    checkpoints: tuple[Path, ...],
) -> None:
    """Write the entries to standard output: as JSON lines that prove themselves, or as CSV, which proves nothing.

    pinfold audit verify FILE --key VKEY verifies the former on any machine.
    """
    from pinfold.adapters.sqlite.audit_export import export_csv, export_jsonl

    kept = [found for path in checkpoints for found in _notes(path)]
    with _reading(invocation) as reader:
        state = reader.state()
        first = max((after or 0) + 1, _first_since(reader, since, state.size))
        lines = export_csv(reader, state, first) if form == "csv" else export_jsonl(reader, state, first, kept=kept)
        _write(lines, output)
    if output is not None:
        note(f"{spelled(first, state.size) if first <= state.size else 'no entries'}: {output}")


@click.command(cls=Command)
@click.pass_obj
def checkpoint(invocation: Invocation) -> None:
    """Print the latest signed checkpoint: keep it elsewhere, and the log's past is fixed for good."""
    with _reading(invocation) as reader:
        state = reader.state()
    text = state.note.decode()
    invocation.answer({"checkpoint": text, "size": state.size}, text.removesuffix("\n").split("\n"))


@click.command(cls=Command)
@click.pass_obj
def key(invocation: Invocation) -> None:
    """Print the public key that the log is signed with, for --key, and for whoever keeps its checkpoints."""
    with _reading(invocation) as reader:
        state = reader.state()
    invocation.answer({"key": state.present_key, "first_key": state.first_key}, [state.present_key])


def _verdict(answer: Verification) -> Iterator[Line]:
    if answer.ok:
        what = spelled(answer.first, answer.last) if answer.last >= answer.first else "no entries"
        yield [Painted("whole", "green"), f": {what}, proven by the signed checkpoint of size {answer.proven}"]
        return
    yield [Painted("damaged", "red"), f": {len(answer.problems) + answer.more} problem(s), the earliest first"]
    for problem in answer.problems:
        yield f"  {problem.text}"
    if answer.more:
        yield f"  and {answer.more} more"


def _notes(path: Path) -> list[bytes]:
    notes = list(split_notes(path.read_bytes()))
    if not notes:
        raise StoreError(f"{path} holds no checkpoint")
    return notes


def _first_since(reader: "LogReader", since: datetime | None, size: int) -> int:
    if since is None:
        return 1
    first = reader.first_since(since)
    return size + 1 if first is None else first


@contextmanager
def _reading(invocation: Invocation) -> Iterator["LogReader"]:
    from pinfold.adapters.sqlite.audit_journal import folder_of
    from pinfold.adapters.sqlite.audit_reader import LogReader

    data = _data(invocation)
    with LogReader.open(data.ledger) as reader:
        try:
            if reader.is_anything_to_come(folder_of(data.ledger)):
                asyncio.run(_take_up(data))
        except StoreError as error:
            # A log that takes up nothing more, or that may only be read, can be looked at all the same.
            note(f"What was recorded last is not signed yet, and left out: {error}")
        yield reader


async def _take_up(data: DataDirectory) -> None:
    from pinfold.adapters.sqlite.ledger import open_ledger

    # Whoever opens the ledger has it take up what journals hold.
    ledger, _ = await open_ledger(data.ledger, SigningKeys(data.keys))
    await ledger.close()


def _data(invocation: Invocation) -> DataDirectory:
    return DataDirectory(invocation.settings().data.absolute())


def _own_key(invocation: Invocation) -> Verifier:
    """Return the key whose private half is in the data directory: that of the ledger alone would be the intruder's."""
    from pinfold.adapters.sqlite.audit_reader import LogReader

    with LogReader.open(_data(invocation).ledger) as reader:
        stated = Verifier.parse(reader.state().present_key)
    return SigningKeys(_data(invocation).keys).load(stated).verifier


def _write(lines: Iterable[bytes], output: Path | None) -> None:
    if output is None:
        stream = sys.stdout.buffer
        stream.writelines(lines)
        stream.flush()
        return
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise StoreError(f"{output} exists already: name a new file") from None
    except OSError as error:
        raise StoreError(f"{output} cannot be written: {error.strerror or error}") from error
