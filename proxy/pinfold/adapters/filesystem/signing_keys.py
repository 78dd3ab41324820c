"""The keys that sign the audit log: one file each, which only its owner can read."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors
from pinfold.audit.note import Signer, Verifier, from_base64, to_base64
from pinfold.domain.errors import InvalidNote, StoreError

_SEED_BYTES = 32
_FORMAT = "PRIVATE+KEY+"
_ED25519 = b"\x01"


class SigningKeys:
    """A folder of private keys, in the text form that Go's tools for signed notes read and write too.

    Which of them signs is not told here: the log names its key. All methods block, and raise StoreError with what to
    do about it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> Signer:
        """Make a new key that signs under a name, and return it once its file is durable."""
        seed = secrets.token_bytes(_SEED_BYTES)
        signer = Signer.from_seed(name, seed)
        text = f"{_FORMAT}{name}+{signer.verifier.key_id.hex()}+{to_base64(_ED25519 + seed)}\n"
        with store_errors(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # Created for its owner alone, and under its name only when it is whole.
            with tempfile.NamedTemporaryFile("w", dir=self._folder, prefix=".", delete=False) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).rename(self.path(signer.verifier))
            sync_folder(self._folder)
            sync_folder(self._folder.parent)
        return signer

    def load(self, verifier: Verifier) -> Signer:
        """Return the private key that belongs to a public one; a file that others can read is refused."""
        path = self.path(verifier)
        with store_errors(path):
            try:
                mode = path.stat().st_mode
                text = path.read_text("ascii", "replace")
            except FileNotFoundError:
                raise StoreError(
                    f"{path}, which signs the audit log, is missing: restore it from a backup of the data directory"
                ) from None
        if stat.S_IMODE(mode) & 0o077:
            raise StoreError(f"{path}, which signs the audit log, is open to others: chmod 600 it, and rotate the key")
        try:
            encoded = text.removeprefix(_FORMAT).removesuffix("\n").partition("+")[2].partition("+")[2]
            signer = Signer.from_seed(verifier.name, from_base64(encoded).removeprefix(_ED25519))
        except (ValueError, InvalidNote):
            signer = None
        if signer is None or signer.verifier != verifier:
            raise StoreError(f"{path} is not the key that signs the audit log: restore it from a backup")
        return signer

    def discard(self, verifier: Verifier) -> None:
        """Destroy the private key of a public one that was replaced."""
        with store_errors(self._folder):
            self.path(verifier).unlink(missing_ok=True)
            sync_folder(self._folder)

    def path(self, verifier: Verifier) -> Path:
        """Return where the private key of a public one is kept."""
        return self._folder / f"{verifier.public_key.hex()}.key"
