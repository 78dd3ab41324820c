"""What an sdist runs when it is built, which pip does on the machine that installs it (PEP 517, PEP 518)."""

import ast
import tomllib
from collections.abc import Iterator
from typing import Any

from pinfold.domain.inspection import Kind
from pinfold.inspection.entry_points import SCRIPT_GROUPS, note_entry_point
from pinfold.inspection.metadata import note_direct_url
from pinfold.inspection.notes import Notes
from pinfold.inspection.python_source import NotRead, decode, note_module, parse

# Modules by which a build script reaches the network, other programs or raw memory.
_REACHING_OUT = {"ctypes", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "ssl", "subprocess", "urllib"}
# Tables by which build backends run more than themselves: code of the project's own, or of plugins.
_HOOKS = (
    ("tool", "hatch", "build", "hooks"),
    ("tool", "hatch", "metadata", "hooks"),
    ("tool", "pdm", "build", "custom-hook"),
    ("tool", "pdm", "build", "run-setuptools"),
    ("tool", "poetry", "build"),
    ("tool", "setuptools", "cmdclass"),
)


def note_setup_script(source: bytes | None, file: str, notes: Notes) -> None:
    """Remember that there is a setup.py, the commands that it replaces, and what it imports to reach out."""
    notes.remember(Kind.NEW_BUILD_STEP, "setup.py", "setup.py runs when the sdist is built", file)
    note_module("setup.py", file, source, notes)
    try:
        tree = parse(decode(source or b""), notes.limits)
    except NotRead as error:
        notes.remember(Kind.NEW_UNREAD_SOURCE, "setup.py", str(error), file)
        return
    for node in ast.walk(tree):
        for identity, text in _steps(node):
            notes.remember(Kind.NEW_BUILD_STEP, f"setup.py {identity}", f"setup.py {text}", file, _line(node))


def _steps(node: ast.AST) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name.partition(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module)):
            modules = [module.partition(".")[0]]
        case ast.keyword(arg="cmdclass", value=ast.Dict(keys=keys)):
            for key in keys:
                command = str(key.value) if isinstance(key, ast.Constant) else "computed"
                yield f"cmdclass {command}", f"replaces the command {command}"
            return
        case ast.keyword(arg="cmdclass"):
            yield "cmdclass computed", "replaces commands that it computes"
            return
        case _:
            return
    for module in modules:
        if module in _REACHING_OUT:
            yield f"imports {module}", f"imports {module}"


def _line(node: ast.AST) -> int | None:
    line = getattr(node, "lineno", None)
    return line if isinstance(line, int) else None


def note_pyproject(body: bytes, file: str, notes: Notes) -> None:
    """Remember the build backend, hooks and entry points of a pyproject.toml, and note requirements from addresses."""
    try:
        document = tomllib.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        notes.observe(Kind.METADATA_MISMATCH, f"pyproject.toml cannot be read: {type(error).__name__}", file)
        return
    build = _table(document, "build-system")
    if "build-backend" in build:
        backend = str(build["build-backend"])
        notes.remember(Kind.NEW_BUILD_STEP, f"backend {backend}", f"is built by {backend}", file)
    if "backend-path" in build:
        notes.remember(Kind.NEW_BUILD_STEP, "backend-path", "is built by a backend of its own", file)
    requires = build.get("requires")
    for requirement in requires if isinstance(requires, list) else ():
        note_direct_url(str(requirement), file, notes)
    for hook in _HOOKS:
        if _table(document, *hook[:-1]).get(hook[-1]):
            name = ".".join(hook)
            notes.remember(Kind.NEW_BUILD_STEP, name, f"has build hooks: {name}", file)
    _note_scripts(_table(document, "project"), file, notes)


def _note_scripts(project: dict[str, Any], file: str, notes: Notes) -> None:
    groups = _table(project, "entry-points") | {
        group: project.get(key) for group, key in zip(SCRIPT_GROUPS, ("scripts", "gui-scripts"), strict=True)
    }
    for group, entries in groups.items():
        for name, target in entries.items() if isinstance(entries, dict) else ():
            note_entry_point(group, name, str(target), file, notes)


def _table(document: dict[str, Any], *path: str) -> dict[str, Any]:
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document
