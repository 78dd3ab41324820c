"""Files and commands that would take the interpreter's or the environment's own place."""

import re
import sys

from pinfold.domain.inspection import Kind
from pinfold.inspection.notes import Notes

_INTERPRETER = re.compile(
    r"(?:python|pypy)w?[0-9.]*t?d?(?:\.exe)?|(?:de)?activate(?:[._][a-z_.0-9]+)?|pyvenv\.cfg|python[0-9]*\._pth",
    re.IGNORECASE,
)
_STANDARD_LIBRARY = re.compile(r"(?:lib(?:32|64)?/(?:python|pypy)[0-9.]+t?/|dlls/|lib/([a-z0-9_]+)[./])", re.IGNORECASE)
_EXPECTED_DATA = {
    "share",
    "etc",
    "include",
    "bin",
    "scripts",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "library",
    "man",
    "doc",
}


def note_command(name: str, file: str, notes: Notes) -> None:
    """Check the name of a file or entry point that goes among the environment's commands."""
    if _INTERPRETER.fullmatch(name):
        notes.observe(Kind.INTERPRETER_FILE, f"the command {name!r} takes the place of the environment's own", file)


def note_data(path: str, file: str, notes: Notes) -> None:
    """Check a file that goes anywhere below the environment's root, and remember where to."""
    folder, _, _ = path.partition("/")
    if _INTERPRETER.fullmatch(path) or _is_standard_library(path):
        notes.observe(Kind.INTERPRETER_FILE, f"{path!r} takes the place of the environment's own", file)
    elif folder.lower() not in _EXPECTED_DATA:
        notes.observe(Kind.UNEXPECTED_DATA, f"data goes to {path!r} in the environment's root", file)
    notes.remember(Kind.NEW_DATA, folder, f"puts files below {folder!r} in the environment's root", file)


def _is_standard_library(path: str) -> bool:
    found = _STANDARD_LIBRARY.match(path)
    return found is not None and (found[1] is None or found[1] in sys.stdlib_module_names)
