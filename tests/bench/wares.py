"""What the servers of the benchmark serve: pages of 10, 300 and 5,000 files, and two wheels that are real.

Everything is written once into a folder, as files that any web server can serve: it is the upstream of all proxies.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.upstream import build_wheel

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
FILE_ORIGIN = "http://127.0.0.1:{port}"
UPLOADED = "2024-03-01T12:{:02}:{:02}.123456Z"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Ware:
    """A project with a page of some length, and perhaps with one wheel whose bytes exist."""

    project: str
    files: int
    wheel_bytes: int = 0
    """Of the newest release's wheel; 0 where no bytes exist."""

    @property
    def wheel(self) -> str:
        """The newest release's wheel."""
        return _filename(self.project, self.files - 1)


PAGES = (Ware("small-page", 10), Ware("medium-page", 300), Ware("large-page", 5000))
WHEELS = (Ware("wheel-2mb", 3, 2 * MIB), Ware("wheel-100mb", 3, 100 * MIB))


def write_upstream(root: Path, port: int, wares: Sequence[Ware] = (*PAGES, *WHEELS)) -> None:
    """Write the index and its files under a folder that will be served at a port."""
    names = [ware.project for ware in wares]
    _write(
        root / "simple" / "index.json",
        json.dumps({"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}).encode(),
    )
    for ware in wares:
        _write(root / "simple" / ware.project / "index.json", json.dumps(_page(root, ware, port)).encode())


def _page(root: Path, ware: Ware, port: int) -> dict[str, Any]:
    entries = [_entry(root, ware, number, port) for number in range(ware.files)]
    return {
        "meta": {"api-version": "1.1"},
        "name": ware.project,
        "versions": [_version(number) for number in range(ware.files)],
        "files": entries,
    }


def _entry(root: Path, ware: Ware, number: int, port: int) -> dict[str, Any]:
    filename, is_real = _filename(ware.project, number), bool(ware.wheel_bytes) and number == ware.files - 1
    content = f"{filename} exists on its page alone".encode()
    if is_real:
        noise = random.Random(ware.project).randbytes(ware.wheel_bytes)
        content = build_wheel(ware.project, _version(number), requires_python=">=3.8", files={"noise.bin": noise})
    metadata = f"Metadata-Version: 2.1\nName: {ware.project}\nVersion: {_version(number)}\n\n{'A summary. ' * 360}\n"
    path = f"packages/{hashlib.sha256(filename.encode()).hexdigest()[:8]}/{filename}"
    if is_real:
        _write(root / path, content)
        _write(root / f"{path}.metadata", metadata.encode())
    digest = {"sha256": hashlib.sha256(metadata.encode()).hexdigest()}
    return {
        "filename": filename,
        "url": f"{FILE_ORIGIN.format(port=port)}/{path}",
        "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        "requires-python": ">=3.8",
        "size": len(content),
        "upload-time": UPLOADED.format(number // 60 % 60, number % 60),
        "core-metadata": digest,
        "data-dist-info-metadata": digest,
        "yanked": False,
    }


def _version(number: int) -> str:
    return f"{number // 100}.{number // 10 % 10}.{number % 10}"


def _filename(project: str, number: int) -> str:
    return f"{project.replace('-', '_')}-{_version(number)}-py3-none-any.whl"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
