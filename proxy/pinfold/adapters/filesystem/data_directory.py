"""The directory that holds everything the embedded default keeps."""

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pinfold import __version__
from pinfold.adapters.filesystem.durable import sync_folder
from pinfold.adapters.filesystem.errors import store_errors
from pinfold.domain.errors import StoreError

LAYOUT = 2
"""Raised when an older Pinfold could not work on the directory any more."""

_MARKER = "PINFOLD"
_MARKER_TEXT = re.compile(r"layout (\d{1,6})\nwritten by Pinfold (\S{1,64})\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory that was found usable: present, writable, and of a layout that this Pinfold knows."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> "DataDirectory":
        """Make or check the directory; blocking. Raises StoreError with what to do about it."""
        directory = cls(root.absolute())
        with store_errors(directory.root):
            directory._make_root()
            directory._check_writable()
            directory._check_marker()
            for folder in (directory.blobs, directory.incoming):
                folder.mkdir(mode=0o700, exist_ok=True)
        return directory

    @property
    def ledger(self) -> Path:
        """What people decided and what was done: the audit log, records, tokens, pins, and what was published here."""
        return self.root / "ledger.db"

    @property
    def catalog(self) -> Path:
        """What upstreams said, and what was found out of their files."""
        return self.root / "catalog.db"

    @property
    def feeds(self) -> Path:
        """What advisory feeds say."""
        return self.root / "feeds.db"

    @property
    def trust(self) -> Path:
        """The trust root that provenance is verified with, where it is refreshed."""
        return self.root / "trust"

    @property
    def keys(self) -> Path:
        """The private keys that sign the audit log."""
        return self.root / "keys"

    @property
    def blobs(self) -> Path:
        """The bytes of files, by hash."""
        return self.root / "blobs"

    @property
    def incoming(self) -> Path:
        """Bytes on their way in; on the same file system as the blobs."""
        return self.root / "incoming"

    @property
    def shared_pages(self) -> Path:
        """Pages that one worker made for the others as well; each can be made again."""
        return self.root / "pages"

    def _make_root(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.root.stat()
        if status.st_uid == os.geteuid() and status.st_mode & 0o007:
            self.root.chmod(status.st_mode & 0o7770)

    def _check_writable(self) -> None:
        with tempfile.TemporaryFile(dir=self.root) as probe:
            probe.write(b"pinfold")

    def _check_marker(self) -> None:
        marker = self.root / _MARKER
        try:
            text = marker.read_text("ascii", "replace")
        except FileNotFoundError:
            self._write_marker(marker)
            return
        match = _MARKER_TEXT.fullmatch(text)
        if match is None:
            raise StoreError(f"{marker} is not what Pinfold writes there: name the right data directory")
        if int(match[1]) > LAYOUT:
            raise StoreError(
                f"{self.root} was written by Pinfold {match[2]}, which this Pinfold {__version__} is too old for: "
                "run that version, or name another data directory"
            )
        self._flatten()
        if int(match[1]) < LAYOUT:
            self._write_marker(marker)

    def _flatten(self) -> None:
        """Take blobs out of the folders that layout 1 had for the beginnings of their hashes.

        A process of an earlier version that was not ended may still make some, whatever the marker says by now.
        """
        flat = self.blobs / "sha256"
        folders = [folder for number in range(256) if (folder := flat / f"{number:02x}").is_dir()]
        for folder in folders:
            # Another process may be doing the same, and folders that are gone are passed over.
            for place, _, names in os.walk(folder, topdown=False):
                for name in names:
                    with suppress(FileNotFoundError):
                        Path(place, name).rename(flat / name)
                # What somebody just put there is for the next time.
                with suppress(OSError):
                    Path(place).rmdir()
        if folders:
            sync_folder(flat)

    def _write_marker(self, marker: Path) -> None:
        strangers = [entry.name for entry in self.root.iterdir() if entry.name != "lost+found" and entry.name[0] != "."]
        if strangers and not marker.exists():
            raise StoreError(
                f"{self.root} holds other files, such as {min(strangers)!r}: name a new or empty directory for Pinfold"
            )
        # Hidden until it is whole: a process that starts meanwhile neither reads half of it nor finds a stranger.
        with tempfile.NamedTemporaryFile("w", dir=self.root, prefix=".", delete=False) as file:
            file.write(f"layout {LAYOUT}\nwritten by Pinfold {__version__}\n")
        Path(file.name).rename(marker)
