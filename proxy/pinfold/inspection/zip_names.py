"""Names and file types of zip entries, checked before any file is unpacked."""

import stat
from typing import BinaryIO

from pinfold.domain.inspection import Kind
from pinfold.inspection.content import take_in
from pinfold.inspection.limits import Budget
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import Paths
from pinfold.inspection.zip_content import unpack
from pinfold.inspection.zip_structure import Entry


def check_names(file: BinaryIO, entries: list[Entry], notes: Notes, budget: Budget) -> None:
    """Note entries that escape, collide, or are anything but a file or an empty folder."""
    paths = Paths(notes, budget)
    for entry in entries:
        if not paths.add(entry.name, folder=entry.folder):
            paths.repeat(entry.name, same=False)
        _check_type(entry, notes)
        if entry.folder and take_in(unpack(file, entry, notes, budget)).size:
            notes.observe(Kind.HIDDEN_DATA, f"{entry.size} bytes in the entry of a folder", entry.name)
    paths.finish()


def _check_type(entry: Entry, notes: Notes) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        # zipfile makes it a file that holds the target's path; other tools make it a link.
        notes.observe(Kind.SYMLINK, "a symbolic link to some tools, a file to others", entry.name)
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        notes.observe(Kind.SPECIAL_FILE, f"neither a file nor a folder: mode {entry.mode:o}", entry.name)
    elif (kind == stat.S_IFDIR) != entry.folder and kind:
        notes.observe(Kind.AMBIGUOUS_PATH, "a folder by its mode or by its name, but not by both", entry.name)
    if kind in (0, stat.S_IFREG) and entry.mode & (stat.S_ISUID | stat.S_ISGID):
        notes.observe(Kind.SETUID_FILE, f"a file that runs as its owner: mode {entry.mode:o}", entry.name)
