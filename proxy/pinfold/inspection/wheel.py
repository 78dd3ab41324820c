"""Wheels: where every entry lands, and whether file name, METADATA and RECORD tell the same story."""

from typing import BinaryIO

from pinfold.domain.inspection import Kind
from pinfold.inspection.binaries import note_binary
from pinfold.inspection.commands import note_command, note_data
from pinfold.inspection.content import Content, take_in
from pinfold.inspection.entry_points import note_entry_points
from pinfold.inspection.landing import Landing, Scheme, land
from pinfold.inspection.limits import Budget, Limits, TooLarge
from pinfold.inspection.metadata import check_metadata
from pinfold.inspection.notes import Notes
from pinfold.inspection.python_source import note_module
from pinfold.inspection.record import Record, read_record
from pinfold.inspection.release import Release
from pinfold.inspection.start_up import is_start_up_file, note_start_up
from pinfold.inspection.zip_content import unpack
from pinfold.inspection.zip_names import check_names
from pinfold.inspection.zip_structure import Entry, read_entries

_NEEDED = ("METADATA", "WHEEL")
_MODULES = (".py", ".pyw", ".so", ".pyd", ".pyc")


def inspect_wheel(file: BinaryIO, file_size: int, release: Release, notes: Notes, budget: Budget) -> None:
    """Note what a wheel is seen to be; raises Unreadable and TooLarge."""
    entries = read_entries(file, file_size, notes, budget)
    check_names(file, entries, notes, budget)
    files = [(entry, land(entry.name, release)) for entry in entries if not entry.folder]
    dist_info = _find_dist_info([landing for _, landing in files], release, notes)
    _check_dist_info({entry.name for entry in entries}, dist_info, notes)
    record = _find_record(file, entries, dist_info, notes, budget)
    for entry, landing in files:
        algorithm = record.algorithm(entry.name) if record else None
        keep = _wanted(entry.name, landing, dist_info, notes.limits)
        content = take_in(unpack(file, entry, notes, budget), keep=keep, algorithm=algorithm)
        if record:
            record.check(entry.name, content)
        _look_at(entry.name, landing, content, release, notes)
        if entry.name.startswith(f"{dist_info}/"):
            _look_at_metadata(entry.name, content, release, notes)
    if record:
        record.finish()


def _find_dist_info(landings: list[Landing], release: Release, notes: Notes) -> str:
    """Return the folder of the wheel's metadata, judged by its name."""
    folders = {landing.path.partition("/")[0] for landing in landings if landing.scheme is Scheme.SITE}
    found = sorted(folder for folder in folders if folder.lower().endswith(".dist-info"))
    if len(found) > 1:
        notes.observe(Kind.SEVERAL_DIST_INFO, f"metadata of {len(found)} distributions: {', '.join(found)}")
    for folder in folders:
        if folder.lower().endswith(".egg-info") and not release.is_project(folder[: -len(".egg-info")].split("-")[0]):
            notes.observe(Kind.SEVERAL_DIST_INFO, f"metadata of another distribution: {folder}", folder)
    own = [folder for folder in found if release.is_named_by(folder[: -len(".dist-info")])]
    for folder in found:
        if folder not in own:
            notes.observe(Kind.METADATA_MISMATCH, f"{folder} is not of {release}", folder)
    return next(iter([*own, *found]), "*.dist-info")


def _check_dist_info(names: set[str], dist_info: str, notes: Notes) -> None:
    for name in _NEEDED:
        if f"{dist_info}/{name}" not in names:
            notes.observe(Kind.METADATA_MISSING, f"there is no {dist_info}/{name}")


def _find_record(file: BinaryIO, entries: list[Entry], dist_info: str, notes: Notes, budget: Budget) -> Record | None:
    path = f"{dist_info}/RECORD"
    entry = next((entry for entry in entries if entry.name == path), None)
    if entry is None:
        notes.observe(Kind.RECORD_MISSING, f"there is no {path}")
        return None
    if entry.size > notes.limits.record:
        raise TooLarge(f"a RECORD of more than {notes.limits.record} bytes")
    body = take_in(unpack(file, entry, notes, budget), keep=notes.limits.record).body
    return read_record(body or b"", path, notes)


def _wanted(name: str, landing: Landing, dist_info: str, limits: Limits) -> int:
    """Return up to which size an entry's bytes are wanted."""
    if name.startswith(f"{dist_info}/") or is_start_up_file(landing.path):
        return limits.text
    if landing.scheme is Scheme.SCRIPTS or name.lower().endswith((".py", ".pyw")):
        return limits.source
    return 0


def _look_at(name: str, landing: Landing, content: Content, release: Release, notes: Notes) -> None:
    match landing.scheme:
        case Scheme.SITE:
            _note_top_level(landing.path, name, notes)
            note_start_up(landing.path, name, content.body, release, notes)
            if landing.by_data:
                notes.remember(Kind.NEW_DATA, "site-packages", "puts files into site-packages as data", name)
        case Scheme.SCRIPTS:
            note_command(landing.path, name, notes)
            notes.remember(Kind.NEW_COMMAND, landing.path, f"installs the command {landing.path}", name)
        case Scheme.HEADERS:
            notes.remember(Kind.NEW_DATA, "headers", "installs C headers", name)
        case Scheme.DATA:
            note_data(landing.path, name, notes)
        case Scheme.UNKNOWN:
            notes.observe(Kind.UNKNOWN_SCHEME, "a .data folder that no installer knows where to put", name)
    note_binary(landing.path, name, content.head, notes)
    if name.lower().endswith((".py", ".pyw")) or content.head.startswith(b"#!python"):
        note_module(landing.path, name, content.body, notes)


def _note_top_level(path: str, name: str, notes: Notes) -> None:
    top, slash, _ = path.partition("/")
    module = top if slash else top.partition(".")[0]
    if module.isidentifier() and module != "__pycache__" and (slash or top.lower().endswith(_MODULES)):
        notes.remember(Kind.NEW_TOP_LEVEL, module, f"makes {module!r} importable", name)


def _look_at_metadata(name: str, content: Content, release: Release, notes: Notes) -> None:
    part = name.partition("/")[2]
    if part not in ("METADATA", "entry_points.txt"):
        return
    if content.body is None:
        raise TooLarge(f"{part} of more than {notes.limits.text} bytes")
    if part == "METADATA":
        check_metadata(content.body, name, release, notes)
    else:
        note_entry_points(content.body, name, notes)
