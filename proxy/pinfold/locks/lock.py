"""What a lock file pins, and how the readers of all formats collect it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from pinfold.domain.errors import InvalidLock, InvalidName
from pinfold.domain.names import canonical_version, normalise, parse_filename
from pinfold.domain.pins import MAX_PINS, Pin, in_order

MOST_PROBLEMS = 200
"""How many problems are told of one document."""
NO_INDEX = "it comes from no index"
"""Why something is left out, most often."""
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_SHA256 = re.compile(r"sha256[:=]([0-9a-fA-F]{64})")


class LockFormat(StrEnum):
    """The formats that are read."""

    PYLOCK = "pylock.toml"
    REQUIREMENTS = "requirements.txt"
    UV = "uv.lock"
    POETRY = "poetry.lock"
    PDM = "pdm.lock"
    PIPENV = "Pipfile.lock"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file that was understood."""

    source: str
    """What to call the document, most often its path."""
    format: LockFormat
    pins: tuple[Pin, ...]
    left_out: tuple[str, ...] = ()
    """What it locks besides, which comes from no index, with the reason."""


class Collector:
    """Collects the pins of a document, and every mistake in it with its place."""

    def __init__(self, source: str, format: LockFormat) -> None:  # noqa: A002 - the field's name
        self._source = source
        self._format = format
        self._pins: list[Pin] = []
        self._left_out: dict[str, None] = {}
        self._problems: list[str] = []

    def add(self, place: str, name: str, version: str | None, digest: str, filename: str | None = None) -> None:
        """Pin a file; `digest` is written `sha256:<hex>`, and a version may be missing where a file name tells it."""
        match = _SHA256.fullmatch(digest)
        if match is None:
            self.reject(
                place, f"{_cut(digest)} is no sha256, the one hash that every index states: lock it anew with that"
            )
            return
        try:
            project = normalise(name)
            named = parse_filename(filename, project).version if filename is not None else None
        except InvalidName as error:
            self.reject(place, str(error))
            return
        canonical = canonical_version(version) if version is not None else named
        if canonical is None:
            self.reject(place, f"{_cut(version)} is not a version (PEP 440)" if version else "names no version")
        elif named not in (None, canonical):
            self.reject(place, f"{filename} is a file of {named}, not of {canonical}")
        else:
            self._pins.append(Pin(project, canonical, match[1].lower(), filename))

    def leave_out(self, what: str, why: str) -> None:
        """Note something that is locked, but comes from no index; credentials of its address are not repeated."""
        what = _CREDENTIALS.sub("//", what)
        self._left_out[f"{what[:120]}: {why}"] = None

    def reject(self, place: str, problem: str) -> None:
        """Note a mistake."""
        self._problems.append(": ".join(part for part in (self._source, place, problem) if part))

    def lock(self) -> Lock:
        """Return what was collected; raises InvalidLock with all mistakes, also where nothing is pinned at all."""
        if not self._pins and not self._problems:
            self.reject("", "pins nothing that comes from an index")
        if len(self._pins) > MAX_PINS:
            self.reject("", f"pins {len(self._pins)} files, and a pin set holds {MAX_PINS} at the most")
        if self._problems:
            more = len(self._problems) - MOST_PROBLEMS
            told = [*self._problems[:MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
            raise InvalidLock(self._source, told)
        return Lock(self._source, self._format, in_order(self._pins), tuple(self._left_out))


def filename_of(address: str) -> str:
    """Return the file name at the end of a URL or a path, as it is before it is quoted."""
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    return unquote(path).replace("\\", "/").rpartition("/")[2]


def _cut(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 80 else f"{text[:80]}...")
