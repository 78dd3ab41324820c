"""What the fake index has, and its pages."""

import hashlib
import html
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.upstream.manners import Manners

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"


@dataclass
class FakeFile:
    """One file; what is changed here shows on the page at once."""

    project: str
    version: str
    filename: str
    content: bytes
    upload_time: datetime
    requires_python: str | None = None
    metadata: bytes | None = None
    """What `.metadata` serves, where the index serves any."""
    yanked: str | None = None
    """The reason, possibly empty."""
    provenance: bytes | None = None
    """The PEP 740 provenance object."""

    def __post_init__(self) -> None:
        # As on PyPI, the place of a file never changes, whatever becomes of its bytes.
        digest = hashlib.blake2b(self.content, digest_size=32).hexdigest()
        self.path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{self.filename}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def metadata_path(self) -> str:
        return f"{self.path}.metadata"

    @property
    def provenance_path(self) -> str:
        return f"/integrity/{self.project}/{self.version}/{self.filename}/provenance"


@dataclass
class FakeProject:
    """One project with its files by name and its PEP 792 status."""

    name: str
    files: dict[str, FakeFile] = field(default_factory=dict)
    status: str | None = None
    reason: str | None = None


def project_json(project: FakeProject, manners: Manners, *, origin: str, file_origin: str) -> bytes:
    """Return a project page in JSON."""
    page: dict[str, Any] = {
        "meta": {"api-version": "1.4", "_last-serial": 1},
        "name": project.name,
        "versions": list(dict.fromkeys(file.version for file in project.files.values())),
        "files": [_entry(file, manners, origin, file_origin) for file in project.files.values()],
    }
    if project.status:
        page["project-status"] = {"status": project.status, **({"reason": project.reason} if project.reason else {})}
    return json.dumps(page).encode()


def _entry(file: FakeFile, manners: Manners, origin: str, file_origin: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"{file_origin}{file.path}",
        "hashes": {"sha256": file.sha256},
        "requires-python": file.requires_python,
        "yanked": False if file.yanked is None else file.yanked or True,
    }
    if manners.upload_times:
        entry["size"] = len(file.content)
        entry["upload-time"] = file.upload_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if manners.core_metadata and file.metadata is not None:
        entry["core-metadata"] = entry["data-dist-info-metadata"] = {
            "sha256": hashlib.sha256(file.metadata).hexdigest()
        }
    if manners.provenance:
        entry["provenance"] = f"{origin}{file.provenance_path}" if file.provenance is not None else None
    return entry


def project_html(project: FakeProject, manners: Manners, *, origin: str, file_origin: str) -> bytes:
    """Return a project page in HTML."""
    head = ['<meta name="pypi:repository-version" content="1.4">', f"<title>Links for {project.name}</title>"]
    if project.status:
        head.append(f'<meta name="pypi:project-status" content="{html.escape(project.status)}">')
    if project.status and project.reason:
        head.append(f'<meta name="pypi:project-status-reason" content="{html.escape(project.reason)}">')
    links = [_link(file, manners, origin, file_origin) for file in project.files.values()]
    return _document(head, [f"<h1>Links for {project.name}</h1>", *links])


def _link(file: FakeFile, manners: Manners, origin: str, file_origin: str) -> str:
    attributes = {"href": f"{file_origin}{file.path}#sha256={file.sha256}"}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not None:
        attributes["data-yanked"] = file.yanked
    if manners.core_metadata and file.metadata is not None:
        attributes["data-core-metadata"] = f"sha256={hashlib.sha256(file.metadata).hexdigest()}"
    if manners.provenance and file.provenance is not None:
        attributes["data-provenance"] = f"{origin}{file.provenance_path}"
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{file.filename}</a><br>"


def names_json(projects: list[str]) -> bytes:
    """Return the list of all projects in JSON."""
    return json.dumps({"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in projects]}).encode()


def names_html(projects: list[str]) -> bytes:
    """Return the list of all projects in HTML."""
    return _document(["<title>Simple index</title>"], [f'<a href="/simple/{name}/">{name}</a>' for name in projects])


def _document(head: list[str], body: list[str]) -> bytes:
    lines = ["<!DOCTYPE html>", "<html>", "<head>", *head, "</head>", "<body>", *body, "</body>", "</html>", ""]
    return "\n".join(lines).encode()
