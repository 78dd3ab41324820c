"""Thirty made-up projects that need each other, with one real wheel each: what an everyday install asks an index for.

Everything is written once into a folder, pages precompressed as well, which any web server can serve as PyPI does.
"""

import gzip
import hashlib
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.upstream.distributions import build_wheel, core_metadata

COUNT = 30
ASKED_FOR = 12
"""So many are asked for by name; the others are needed by those."""
_UPLOADED = "2024-03-{:02}T12:{:02}:00.123456Z"
_SMALLEST, _LARGEST = 50_000, 5_000_000


@dataclass(frozen=True)
class Made:
    """The newest release of a project."""

    project: str
    version: str
    needs: tuple[str, ...]
    size: int
    """Bytes of noise in its wheel, about."""
    files: int
    """On its page."""

    @property
    def filename(self) -> str:
        """Its wheel."""
        return _filename(self.project, self.version)


def make_projects() -> list[Made]:
    """Return the projects, the same each time: most are small, as on PyPI, and few have long pages."""
    chance = random.Random("thirty")
    made = []
    for number in range(COUNT):
        # From one end to the other in even steps of their logarithms, in a random order.
        size = round(_SMALLEST * (_LARGEST / _SMALLEST) ** (number / (COUNT - 1)))
        files = round(10 * 30 ** (chance.random()))
        first = ASKED_FOR + number * 2
        needs = tuple(_name(other) for other in (first, first + 1) if ASKED_FOR <= other < COUNT)
        made.append(Made(_name(number), f"{files - 1}.0", needs, size, files))
    sizes = [project.size for project in made]
    chance.shuffle(sizes)
    return [
        Made(project.project, project.version, project.needs, size, project.files)
        for project, size in zip(made, sizes, strict=True)
    ]


def asked_for(projects: list[Made]) -> list[str]:
    """Return what an install names; the rest follows."""
    return [project.project for project in projects[:ASKED_FOR]]


def write_index(root: Path, projects: list[Made]) -> None:
    """Write pages and wheels; the wheels' addresses are relative, so that any port may serve them."""
    for project in projects:
        page = {
            "meta": {"api-version": "1.1"},
            "name": project.project,
            "versions": [f"{number}.0" for number in range(project.files)],
            "files": list(_entries(root, project)),
        }
        write_compressed(root / "simple" / project.project / "index.json", json.dumps(page).encode())


def write_compressed(place: Path, content: bytes) -> None:
    """Write a file, and its gzip beside it."""
    _write(place, content)
    packed = place.with_name(f"{place.name}.gz")
    packed.write_bytes(gzip.compress(content, 6, mtime=0))
    # gzip_static takes the two for one where they are of one time.
    os.utime(packed, (place.stat().st_atime, place.stat().st_mtime))


def _entries(root: Path, project: Made) -> Iterator[dict[str, Any]]:
    for number in range(project.files):
        version = f"{number}.0"
        filename = _filename(project.project, version)
        path = f"packages/{hashlib.sha256(filename.encode()).hexdigest()[:8]}/{filename}"
        metadata, content = b"only on its page", filename.encode()
        if version == project.version:
            metadata = core_metadata(project.project, version, project.needs, ">=3.8")
            content = _wheel(project)
            _write(root / path, content)
            _write(root / f"{path}.metadata", metadata)
        digest = {"sha256": hashlib.sha256(metadata).hexdigest()}
        yield {
            "filename": filename,
            "url": f"../../{path}",
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
            "requires-python": ">=3.8",
            "size": len(content),
            "upload-time": _UPLOADED.format(1 + number // 60, number % 60),
            "core-metadata": digest,
            "data-dist-info-metadata": digest,
            "provenance": None,
            "yanked": False,
        }


def _wheel(project: Made) -> bytes:
    """Return a wheel of some fifty modules and one file of data."""
    chance, module = random.Random(project.project), project.project.replace("-", "_")
    modules = {
        f"{module}/part_{number}.py": "".join(
            f"def function_{line}(value: int) -> int:\n    return value * {chance.randrange(1000)} + {line}\n\n\n"
            for line in range(20)
        ).encode()
        for number in range(50)
    }
    taken = sum(map(len, modules.values()))
    data = {f"{module}/data.bin": chance.randbytes(max(project.size - taken, 1000))}
    return build_wheel(
        project.project, project.version, requires_dist=project.needs, requires_python=">=3.8", files=modules | data
    )


def _name(number: int) -> str:
    return f"made-up-{number:02}"


def _filename(project: str, version: str) -> str:
    return f"{project.replace('-', '_')}-{version}-py3-none-any.whl"


def _write(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
