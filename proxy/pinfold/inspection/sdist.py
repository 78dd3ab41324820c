"""Sdists: one folder with PKG-INFO and what it takes to build the release (PEP 625, PEP 643)."""

from collections.abc import Iterable
from typing import BinaryIO

from pinfold.domain.inspection import Kind
from pinfold.inspection.binaries import note_binary
from pinfold.inspection.build_time import note_pyproject, note_setup_script
from pinfold.inspection.content import Content, take_in
from pinfold.inspection.entry_points import note_entry_points
from pinfold.inspection.limits import Budget, TooLarge
from pinfold.inspection.links import Links
from pinfold.inspection.metadata import check_metadata
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import Paths
from pinfold.inspection.python_source import note_module
from pinfold.inspection.release import Release
from pinfold.inspection.start_up import is_start_up_file, note_start_up
from pinfold.inspection.tar_stream import TarStream, read_members
from pinfold.inspection.zip_content import unpack
from pinfold.inspection.zip_end import ends_like_zip
from pinfold.inspection.zip_names import check_names
from pinfold.inspection.zip_structure import read_entries

_ASIDE = {"test", "tests", "third_party", "examples", "benchmarks", "docs"}
"""Folders beside the packages, which a build does not install: tests do decode and run things."""
_SETUID = 0o6000
_SHOWN = 5


def inspect_tar_sdist(file: BinaryIO, file_size: int, release: Release, notes: Notes, budget: Budget) -> None:
    """Note what a .tar.gz sdist is seen to be; raises Unreadable and TooLarge."""
    if ends_like_zip(file, file_size):
        notes.observe(Kind.AMBIGUOUS_FORMAT, "ends like a zip archive, which pip then takes it for")
    sdist = _Sdist(release, notes)
    paths, links = Paths(notes, budget), Links(notes)
    stream = TarStream(file, notes, budget)
    regular: dict[str, tuple[int, bytes | None]] = {}
    for member in read_members(stream, notes, budget):
        path = member.name.removeprefix("./")
        if path == "." and member.isdir():
            continue
        is_first = paths.add(path, folder=member.isdir())
        links.add(path, member)
        if not (member.isreg() or member.isdir() or member.islnk() or member.issym()):
            notes.observe(Kind.SPECIAL_FILE, f"neither a file, a folder nor a link: type {member.type!r}", path)
        if member.isreg() and member.mode & _SETUID:
            notes.observe(Kind.SETUID_FILE, f"a file that runs as its owner: mode {member.mode:o}", path)
        sdist.enter(path)
        # What is unpacked last stays, which makes no difference where a tool packed one file twice.
        before = regular.pop(path, None)
        if member.isreg():
            regular[path] = (member.mode, sdist.add(path, stream.take(member.size)))
        if not is_first:
            paths.repeat(path, same=before is not None and before == regular.get(path))
    paths.finish()
    sdist.finish()


def inspect_zip_sdist(file: BinaryIO, file_size: int, release: Release, notes: Notes, budget: Budget) -> None:
    """Note what a .zip sdist is seen to be; raises Unreadable and TooLarge."""
    entries = read_entries(file, file_size, notes, budget)
    check_names(file, entries, notes, budget)
    sdist = _Sdist(release, notes)
    for entry in entries:
        sdist.enter(entry.name)
        if not entry.folder:
            sdist.add(entry.name, unpack(file, entry, notes, budget))
    sdist.finish()


class _Sdist:
    """The content of an sdist, whichever kind of archive it comes from."""

    def __init__(self, release: Release, notes: Notes) -> None:
        self._release = release
        self._notes = notes
        self._folders: set[str] = set()
        self._described = False

    def enter(self, path: str) -> None:
        """Account for an entry of any kind."""
        self._folders.add(path.partition("/")[0])

    def add(self, file: str, chunks: Iterable[bytes]) -> bytes | None:
        """Take in a file, told from one release to the next by its path below the top folder; return its hash."""
        path = file.partition("/")[2]
        content = take_in(chunks, keep=self._wanted(path), algorithm="sha256")
        note_start_up(_site_path(path), file, content.body, self._release, self._notes)
        note_binary(path, file, content.head, self._notes)
        if path == "setup.py":
            note_setup_script(content.body, file, self._notes)
        elif path.lower().endswith((".py", ".pyw")):
            note_module(path, file, content.body, self._notes, aside=path.partition("/")[0] in _ASIDE)
        elif _is_metadata(path):
            self._look_at_metadata(path, file, content)
        return content.digest

    def finish(self) -> None:
        """Note what only shows when all entries are known."""
        if len(self._folders) > 1:
            names = ", ".join(sorted(self._folders)[:_SHOWN])
            self._notes.observe(Kind.SEVERAL_FOLDERS, f"{len(self._folders)} things side by side: {names}")
        elif self._folders:
            (folder,) = self._folders
            if not self._release.is_named_by(folder):
                self._notes.observe(Kind.ODD_NAME, f"the folder is not named for {self._release}", folder)
        if not self._described:
            self._notes.observe(Kind.METADATA_MISSING, "there is no PKG-INFO")

    def _wanted(self, path: str) -> int:
        if path.lower().endswith((".py", ".pyw")):
            return self._notes.limits.source
        if path == "pyproject.toml":
            return self._notes.limits.toml
        return self._notes.limits.text if _is_metadata(path) or is_start_up_file(_site_path(path)) else 0

    def _look_at_metadata(self, path: str, file: str, content: Content) -> None:
        if content.body is None:
            raise TooLarge(f"{path} of more than {self._wanted(path)} bytes")
        if path == "PKG-INFO":
            self._described = True
            check_metadata(content.body, file, self._release, self._notes)
        elif path == "pyproject.toml":
            note_pyproject(content.body, file, self._notes)
        else:
            note_entry_points(content.body, file, self._notes)


def _is_metadata(path: str) -> bool:
    return path in ("PKG-INFO", "pyproject.toml") or path.endswith(".egg-info/entry_points.txt")


def _site_path(path: str) -> str:
    """Return where a file could end in site-packages: a build may put it right there, wherever it is now."""
    above, _, name = path.rpartition("/")
    folder = above.rpartition("/")[2]
    return f"{folder}/{name}" if folder.lower() in ("sitecustomize", "usercustomize") else name
