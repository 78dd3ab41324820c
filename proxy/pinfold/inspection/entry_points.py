"""Entry points: the commands and plugins that a release announces (the entry points specification)."""

from pinfold.domain.inspection import Kind
from pinfold.inspection.commands import note_command
from pinfold.inspection.notes import Notes
from pinfold.inspection.paths import escapes

SCRIPT_GROUPS = ("console_scripts", "gui_scripts")


def note_entry_points(body: bytes, file: str, notes: Notes) -> None:
    """Remember every entry point of an `entry_points.txt`, read line by line as importlib.metadata does."""
    group = ""
    for line in map(str.strip, body.decode("utf-8", "replace").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group and line and not line.startswith("#"):
            name, _, target = line.partition("=")
            note_entry_point(group, name.strip(), target.strip(), file, notes)


def note_entry_point(group: str, name: str, target: str, file: str, notes: Notes) -> None:
    """Remember one entry point; those that become commands are checked as such."""
    if group in SCRIPT_GROUPS:
        if escapes(name):
            notes.observe(Kind.PATH_ESCAPE, f"the command {name!r} is written outside the folder of commands", file)
        note_command(name, file, notes)
    notes.remember(Kind.NEW_ENTRY_POINT, f"{group}:{name}", f"{group}: {name} = {target}", file)
