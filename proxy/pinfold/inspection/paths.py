"""Paths inside archives: whether they stay inside, mean the same everywhere, and keep out of each other's way."""

import re
import unicodedata
from collections.abc import Iterator

from pinfold.domain.inspection import Kind
from pinfold.inspection.limits import Budget, TooLarge
from pinfold.inspection.notes import Notes

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(?:\.[^/]*)?", re.IGNORECASE)
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_PLAIN = re.compile(
    r"(?:(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:[./]|\Z))[a-z0-9_.=+-]++(?<!\.)(?:/(?!\Z)|\Z))+",
    re.IGNORECASE | re.ASCII,
)
"""What nothing can be held against, which nearly every path is: letters, digits and a few signs."""
_LONGEST_PLAIN = 255


def escapes(path: str) -> bool:
    """Tell whether a path leaves the folder it is unpacked to, on any platform, however it is read."""
    readings = {path}
    if not path.isascii():
        readings |= {_normalise(path), _normalise(_visible(path))}
    for reading in readings:
        slashed = reading.replace("\\", "/")
        if slashed.startswith("/") or _DRIVE.match(slashed) or ".." in slashed.split("/"):
            return True
    return False


class Paths:
    """The paths of one archive, checked one by one as they come and against each other."""

    def __init__(self, notes: Notes, budget: Budget) -> None:
        self._notes = notes
        self._budget = budget
        self._names: set[str] = set()
        self._folded: dict[str, str] = {}
        self._folders: set[str] = set()

    def add(self, path: str, *, folder: bool) -> bool:
        """Check the path of an entry, and tell whether it is the first of its name.

        Raises TooLarge for a path that is too long or too deep.
        """
        limits = self._budget.limits
        if len(path) > limits.path or path.count("/") > limits.depth:
            raise TooLarge(f"a path of more than {limits.path} characters or {limits.depth} folders")
        name = path.removesuffix("/")
        if len(name) <= _LONGEST_PLAIN and _PLAIN.fullmatch(name):
            return self._compare(name, name.lower(), folder=folder)
        if escapes(path):
            self._notes.observe(Kind.PATH_ESCAPE, f"{path!r} leaves the folder it is unpacked to", path)
        for kind, why in _peculiarities(name):
            self._notes.observe(kind, f"{path!r} {why}", path)
        return self._compare(name, _fold(name), folder=folder)

    def repeat(self, path: str, *, same: bool) -> None:
        """Note that an entry has a name that was there before, with the same bytes or with others."""
        if same:
            self._notes.observe(Kind.REPEATED_ENTRY, f"{path!r} stands in the archive twice, with the same bytes", path)
        else:
            self._notes.observe(Kind.DUPLICATE_NAME, f"{path!r} stands in the archive more than once", path)

    def _compare(self, path: str, folded: str, *, folder: bool) -> bool:
        if path in self._names:
            return False
        self._names.add(path)
        if not folder:
            other = self._folded.setdefault(folded, path)
            if other != path:
                self._notes.observe(
                    Kind.COLLIDING_NAMES, f"{path!r} and {other!r} are one file where names are folded", path
                )
        above = folded if folder else folded.rpartition("/")[0]
        while above and above not in self._folders:
            self._folders.add(above)
            above = above.rpartition("/")[0]
        return True

    def finish(self) -> None:
        """Check what only shows when all paths are known: a file where others need a folder."""
        for folded in sorted(self._folded.keys() & self._folders):
            path = self._folded[folded]
            self._notes.observe(Kind.COLLIDING_NAMES, f"{path!r} is both a file and a folder", path)


def _fold(path: str) -> str:
    """Return what a case-insensitive, normalising file system, or Windows, may take a path for."""
    if not path.isascii():
        path = _normalise(_normalise(_visible(path)).casefold())
    folded = path.lower().replace("\\", "/").replace("::$data", "")
    return "/".join(part.rstrip(". ") for part in folded.split("/"))


def _normalise(path: str) -> str:
    return unicodedata.normalize("NFKC", path)


def _visible(path: str) -> str:
    """Return a path without what some file systems and tools drop, so that "." + zero-width space + "." is ".."."""
    return _INVISIBLE.sub("", _DIRECTION.sub("", path))


def _peculiarities(path: str) -> Iterator[tuple[Kind, str]]:
    if _CONTROL.search(path):
        yield Kind.AMBIGUOUS_PATH, "has control characters or bytes that are no text"
    if "\\" in path:
        yield Kind.AMBIGUOUS_PATH, "has a backslash, a separator on Windows only"
    if "::$data" in path.lower():
        yield Kind.AMBIGUOUS_PATH, "names a file's stream on Windows, which is the file itself"
    if _DIRECTION.search(path):
        yield Kind.AMBIGUOUS_PATH, "has characters that turn the reading direction"
    parts = path.split("/")
    if not path or "." in parts or "" in parts[1:]:
        yield Kind.AMBIGUOUS_PATH, "has empty or '.' segments"
    if _NOT_ON_WINDOWS.search(path) or any(part.endswith((".", " ")) for part in parts if part.strip(".")):
        yield Kind.ODD_NAME, "is changed or refused on Windows"
    if any(_DEVICE.fullmatch(part) for part in parts):
        yield Kind.ODD_NAME, "names a device on Windows"
    if _INVISIBLE.search(path):
        yield Kind.ODD_NAME, "has invisible characters"
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        yield Kind.ODD_NAME, "has a segment longer than 255 bytes"
