"""What runs when an interpreter starts, without anybody importing it.

`site` reads `*.pth` and, from Python 3.15 on, `*.start` (PEP 829) right in site-packages, and then imports
`sitecustomize` and `usercustomize`.
"""

import hashlib
import re

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes
from pinfold.inspection.python_source import note_opaque_code
from pinfold.inspection.release import Release

_CUSTOMIZE = re.compile(r"(?:__pycache__/)?(sitecustomize|usercustomize)[./].*", re.IGNORECASE | re.DOTALL)
_IMPORT = re.compile(r"import[ \t]")


def is_start_up_file(path: str) -> bool:
    """Tell whether `site` reads what is at a path below site-packages."""
    return "/" not in path and path.lower().endswith((".pth", ".start"))


def note_start_up(path: str, file: str, body: bytes | None, release: Release, notes: Notes) -> None:
    """Remember what an entry runs at start-up.

    `path` is where the entry is below site-packages, `file` where it is in the archive; the body is None where it was
    too long to be kept.
    """
    if found := _CUSTOMIZE.fullmatch(path):
        name = found[1].lower()
        notes.remember(Kind.NEW_START_UP_HOOK, name, f"{name} is imported at every interpreter start", file)
    elif not is_start_up_file(path):
        return
    elif body is None:
        notes.remember(Kind.NEW_START_UP_HOOK, path, "a start-up file too long to be read", file)
    else:
        for number, line in enumerate(_lines(body), start=1):
            if line.strip() and not line.startswith("#"):
                _note_line(line.strip(), file, number, release, notes)


def _note_line(line: str, file: str, number: int, release: Release, notes: Notes) -> None:
    # Which file a line stands in does not change what it does, and the version in it changes with every release.
    identity = hashlib.sha256(release.without_version(line).encode("utf-8", "surrogatepass")).hexdigest()
    if file.lower().endswith(".start"):
        text = f"is called at every interpreter start: {line}"
    elif _IMPORT.match(line):
        text = f"runs at every interpreter start: {line}"
        note_opaque_code(identity, file, line.encode("utf-8", "surrogatepass"), notes)
    else:
        text = f"is put on sys.path at every interpreter start: {line}"
    notes.remember(Kind.NEW_START_UP_HOOK, identity, text, file, number)


def _lines(body: bytes) -> list[str]:
    """Split as any version of `site` would, and rather more often: a line that we miss is a line that runs."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    return text.splitlines()
