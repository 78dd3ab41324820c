"""Checkpoints that were kept elsewhere: the only defence against whoever holds the log's key."""

from collections.abc import Iterable, Iterator

from pinfold.audit.checkpoint import Checkpoint, LogKeys
from pinfold.audit.findings import Findings, Kind
from pinfold.domain.errors import InvalidNote

_SIGNATURE_START = "\N{EM DASH} ".encode()


def split_notes(data: bytes) -> Iterator[bytes]:
    """Yield the notes that were written one after the other, with or without empty lines in between.

    What nobody signed is passed over, such as a note that was torn off; two empty lines end it.
    """
    note: list[bytes] = []
    signed = False
    for line in data.splitlines(keepends=True):
        signature = line.startswith(_SIGNATURE_START)
        if signed and not signature:
            yield b"".join(note)
            note, signed = [], False
        signed |= signature
        if line.strip() or (note and note[-1].strip()):
            note.append(line)
        else:
            note = []
    if signed:
        yield b"".join(note)


def open_kept(notes: Iterable[bytes], keys: LogKeys, findings: Findings) -> Iterator[Checkpoint]:
    """Yield the checkpoints that the log's keys signed; another one contradicts the log and is a finding."""
    for note in notes:
        try:
            yield keys.open(note)
        except InvalidNote as error:
            name = note[:80].decode(errors="replace").split("\n")[0]
            text = f"a checkpoint that was kept elsewhere, of {name!r}, is not of this log and its keys: {error}"
            findings.add(Kind.CONTRADICTED, 0, text)
