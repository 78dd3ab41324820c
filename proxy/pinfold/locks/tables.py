"""Locks that are tables of packages: `uv.lock`, `poetry.lock`, `pdm.lock`, and Pipenv's `Pipfile.lock`."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pinfold.locks.lock import NO_INDEX, Collector, Lock, LockFormat, filename_of

_POETRY_ELSEWHERE = frozenset(("git", "directory", "file", "url"))


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)


class _UvFile(_Table):
    url: str | None = None
    path: str | None = None
    filename: str | None = None
    hash: str | None = None

    @property
    def name(self) -> str:
        return self.filename or filename_of(self.url or self.path or "")


class _UvPackage(_Table):
    name: str
    version: str | None = None
    source: dict[str, Any] = Field(default_factory=dict)
    sdist: _UvFile | None = None
    wheels: list[_UvFile] = Field(default_factory=list)


class _ListedFile(_Table):
    file: str | None = None
    url: str | None = None
    hash: str

    @property
    def name(self) -> str:
        return self.file or filename_of(self.url or "")


class _ListedPackage(_Table):
    name: str
    version: str
    source: dict[str, Any] = Field(default_factory=dict)
    """Where Poetry takes it from, if not from an index."""
    git: str | None = None
    path: str | None = None
    url: str | None = None
    """PDM's words for the same."""
    files: list[_ListedFile] = Field(default_factory=list)


class _PipenvEntry(_Table):
    version: str | None = None
    hashes: list[str] = Field(default_factory=list)
    git: str | None = None
    path: str | None = None
    file: str | None = None


T = TypeVar("T", bound=_Table)


def read_uv(document: Mapping[str, Any], source: str) -> Lock:
    """Return what a `uv.lock` pins. Raises InvalidLock."""
    collector = Collector(source, LockFormat.UV)
    for place, package in _packages(collector, document, _UvPackage):
        files = [*([package.sdist] if package.sdist else ()), *package.wheels]
        if "registry" not in package.source:
            if not {"virtual", "editable", "directory"} & package.source.keys():
                collector.leave_out(package.name, NO_INDEX)
            continue
        if not files:
            collector.reject(place, "names no file: lock it anew with `uv lock`")
        for file in files:
            if file.hash is None:
                collector.reject(place, f"{file.name} has no hash: its index states none; lock from one that does")
            else:
                collector.add(place, package.name, package.version, file.hash, file.name)
    return collector.lock()


def read_poetry(document: Mapping[str, Any], source: str) -> Lock:
    """Return what a `poetry.lock` pins, also one of Poetry 1.0. Raises InvalidLock."""
    collector = Collector(source, LockFormat.POETRY)
    metadata = document.get("metadata")
    apart = metadata.get("files") if isinstance(metadata, Mapping) else None
    for place, package in _packages(collector, document, _ListedPackage):
        if package.source.get("type") in _POETRY_ELSEWHERE:
            collector.leave_out(package.name, NO_INDEX)
            continue
        files = package.files or _apart(collector, place, apart, package.name)
        _add_files(collector, place, package, files, "`poetry lock --regenerate`")
    return collector.lock()


def read_pdm(document: Mapping[str, Any], source: str) -> Lock:
    """Return what a `pdm.lock` pins. Raises InvalidLock."""
    collector = Collector(source, LockFormat.PDM)
    for place, package in _packages(collector, document, _ListedPackage):
        if package.git or package.path or package.url:
            collector.leave_out(package.name, NO_INDEX)
        else:
            _add_files(collector, place, package, package.files, "`pdm lock`")
    return collector.lock()


def read_pipenv(document: Mapping[str, Any], source: str) -> Lock:
    """Return what a `Pipfile.lock` pins: hashes without file names. Raises InvalidLock."""
    collector = Collector(source, LockFormat.PIPENV)
    for category, entries in document.items():
        if category == "_meta":
            continue
        if not isinstance(entries, dict):
            collector.reject(category, "is no table of packages")
            continue
        for name, table in entries.items():
            place = f"{category}.{name}"
            if (entry := _read(collector, place, _PipenvEntry, table)) is not None:
                _add_pipenv(collector, place, name, entry)
    return collector.lock()


def _add_pipenv(collector: Collector, place: str, name: str, entry: _PipenvEntry) -> None:
    if entry.git or entry.path or entry.file:
        collector.leave_out(name, NO_INDEX)
    elif entry.version is None or not entry.version.startswith("=="):
        collector.reject(place, "has no exact version: lock it anew with `pipenv lock`")
    elif not entry.hashes:
        collector.reject(place, "has no hashes: lock it anew with `pipenv lock`")
    else:
        for digest in entry.hashes:
            collector.add(place, name, entry.version.lstrip("="), digest)


def _add_files(
    collector: Collector, place: str, package: _ListedPackage, files: Iterable[_ListedFile], command: str
) -> None:
    files = list(files)
    if not files:
        collector.reject(place, f"has no files with hashes: lock it anew with {command}")
    for file in files:
        collector.add(place, package.name, package.version, file.hash, file.name)


def _packages(collector: Collector, document: Mapping[str, Any], kind: type[T]) -> Iterable[tuple[str, T]]:
    """Yield the packages that can be read, with what to call their places."""
    tables = document.get("package")
    if not isinstance(tables, list):
        collector.reject("", "has no [[package]]")
        return
    for position, table in enumerate(tables, start=1):
        name = table.get("name") if isinstance(table, Mapping) else None
        place = f"package {name}" if isinstance(name, str) else f"package {position}"
        if (package := _read(collector, place, kind, table)) is not None:
            yield place, package


def _apart(collector: Collector, place: str, apart: object, name: str) -> list[_ListedFile]:
    """Return a package's files where they are listed under `metadata.files`."""
    tables = apart.get(name) if isinstance(apart, Mapping) else None
    if not isinstance(tables, list):
        return []
    read = (_read(collector, place, _ListedFile, table) for table in tables)
    return [file for file in read if file is not None]


def _read(collector: Collector, place: str, kind: type[T], table: object) -> T | None:
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            where = ".".join(map(str, problem["loc"]))
            collector.reject(f"{place} {where}".strip(), problem["msg"])
        return None
