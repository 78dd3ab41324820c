"""Checkpoints appended to a file, best on a mount or with an attribute that lets nobody rewrite it."""

import asyncio
import fcntl
import os
from pathlib import Path

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors
from pinfold.audit.checkpoint import Checkpoint, read_checkpoint
from pinfold.audit.kept import split_notes
from pinfold.audit.note import MAX_NOTE_BYTES
from pinfold.domain.errors import InvalidNote, StoreError
from pinfold.ports.checkpoints import NotKept


class CheckpointFile:
    """A file that only grows; each note is followed by an empty line. What rotates it may move it away at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    @property
    def name(self) -> str:
        """What to call it."""
        return "checkpoint_file"

    async def keep(self, note: bytes) -> None:
        """Append a checkpoint; raises NotKept also where the file has one of a longer log of the same name."""
        try:
            await asyncio.to_thread(self._append, note)
        except StoreError as error:
            raise NotKept(str(error)) from error

    def _append(self, note: bytes) -> None:
        with store_errors(self._path):
            created = not self._path.exists()
            file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = os.fstat(file).st_size
                tail = os.pread(file, 2 * MAX_NOTE_BYTES, max(0, size - 2 * MAX_NOTE_BYTES))
                last = list(split_notes(tail))[-1:]
                if last == [note]:
                    return
                self._refuse_setback(last, note)
                # A note that power loss tore off must not run into the next one.
                whole = not tail or (last and tail.endswith(last[0] + b"\n"))
                separator = b"" if whole else b"\n\n\n"
                os.write(file, separator + note + b"\n")
                os.fsync(file)
            finally:
                os.close(file)
            if created:
                sync_folder(self._path.parent)

    def _refuse_setback(self, last: list[bytes], note: bytes) -> None:
        before, now = _told(last[0]) if last else None, _told(note)
        if before and now and before.origin == now.origin and before.size > now.size:
            raise NotKept(
                f"the log was set back: {self._path} has its checkpoint of {before.size} entries, and now it has "
                f"{now.size}; pinfold audit verify --checkpoint {self._path} tells more"
            )


def _told(note: bytes) -> Checkpoint | None:
    try:
        return read_checkpoint(note)
    except InvalidNote:
        return None
