"""Harmless wheels and sdists that really install, built in memory and the same every time."""

import base64
import gzip
import hashlib
import io
import re
import tarfile
import textwrap
import zipfile
from collections.abc import Mapping, Sequence

# An sdist that needs no build requirements, so that installers build it without asking any index.
_PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "in_tree_backend"\nbackend-path = ["."]\n'
_BACKEND = textwrap.dedent('''
    """Builds the one wheel that lies beside it."""
    import base64
    import pathlib

    def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
        encoded = pathlib.Path("wheel.b64").read_text()
        name = pathlib.Path("wheel.name").read_text()
        pathlib.Path(wheel_directory, name).write_bytes(base64.b64decode(encoded))
        return name
''').encode()
_EPOCH = (1980, 1, 1, 0, 0, 0)


def module_name(project: str) -> str:
    """Return a project's name as wheels and imports spell it."""
    return re.sub(r"[-_.]+", "_", project).lower()


def core_metadata(
    project: str, version: str, requires_dist: Sequence[str] = (), requires_python: str | None = None
) -> bytes:
    """Return a METADATA or PKG-INFO file."""
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires_dist]
    return "\n".join([*lines, "", f"{project} does no harm.", ""]).encode()


def build_wheel(
    project: str,
    version: str,
    *,
    tag: str = "py3-none-any",
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a wheel with one module that tells its version, and with whatever `files` there are besides."""
    name = module_name(project)
    folder = f"{name}-{version}.dist-info"
    members = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        **(files or {}),
        f"{folder}/METADATA": core_metadata(project, version, requires_dist, requires_python),
        f"{folder}/WHEEL": f"Wheel-Version: 1.0\nGenerator: fake\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = [f"{path},sha256={_record_digest(content)},{len(content)}" for path, content in members.items()]
    members[f"{folder}/RECORD"] = "\n".join([*record, f"{folder}/RECORD,,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in members.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), content)
    return packed.getvalue()


def build_sdist(
    project: str,
    version: str,
    *,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an sdist that installs without any build requirement."""
    wheel = build_wheel(project, version, requires_dist=requires_dist, requires_python=requires_python)
    members = {
        "PKG-INFO": core_metadata(project, version, requires_dist, requires_python),
        "pyproject.toml": _PYPROJECT,
        "in_tree_backend.py": _BACKEND,
        "wheel.name": f"{module_name(project)}-{version}-py3-none-any.whl".encode(),
        "wheel.b64": base64.b64encode(wheel),
        **(files or {}),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(f"{module_name(project)}-{version}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _record_digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
