"""Project pages in JSON, made by hand: the smallest valid ones, with something changed."""

import json
from typing import Any

from tests.unit.index.pages import BASE, NAME, SHA

from pinfold.domain.project import File, Project
from pinfold.index.parse import parse_project_json

WHEEL = "demo_pkg-1.0-py3-none-any.whl"
DROP = object()
"""The value of a key that is left out."""


def entry(**changes: Any) -> dict[str, Any]:
    """Return the smallest valid file entry, with keys changed, added or dropped; `_` stands for `-`."""
    smallest = {"filename": WHEEL, "url": f"https://files.example/{WHEEL}", "hashes": {"sha256": SHA}}
    changed = smallest | {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in changed.items() if value is not DROP}


def page(*entries: Any, **changes: Any) -> bytes:
    smallest = {"meta": {"api-version": "1.0"}, "name": NAME, "files": list(entries)}
    changed = smallest | {key.replace("_", "-"): value for key, value in changes.items()}
    return json.dumps({key: value for key, value in changed.items() if value is not DROP}).encode()


def parse(body: bytes) -> Project:
    return parse_project_json(body, project=NAME, base_url=BASE)


def file_of(**changes: Any) -> File:
    project = parse(page(entry(**changes)))
    assert project.rejected == ()
    return project.files[0]


def why_rejected(**changes: Any) -> str:
    project = parse(page(entry(**changes)))
    assert project.files == ()
    return project.rejected[0].why
