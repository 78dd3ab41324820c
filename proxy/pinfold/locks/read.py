"""Lock files of any format, told apart by what is in them."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from pinfold.domain.errors import InvalidLock
from pinfold.locks.lock import Lock
from pinfold.locks.pylock import read_pylock
from pinfold.locks.requirements import read_requirements
from pinfold.locks.tables import read_pdm, read_pipenv, read_poetry, read_uv


def read_lock(text: str, source: str) -> Lock:
    """Return what a lock file pins.

    `source` is its path. What begins with `{` is Pipenv's lock, `.toml` and `.lock` are TOML, where the keys tell whose
    it is, and anything else is a requirements file. Raises InvalidLock with every mistake and its place.
    """
    if text.lstrip().startswith("{"):
        return read_pipenv(_json(text, source), source)
    if not source.endswith((".toml", ".lock")):
        return read_requirements(text, source)
    document = _toml(text, source)
    metadata = document.get("metadata")
    if "lock-version" in document:
        return read_pylock(document, source)
    if isinstance(metadata, Mapping) and "lock_version" in metadata:
        return read_pdm(document, source)
    if isinstance(metadata, Mapping):
        return read_poetry(document, source)
    if "package" in document or "version" in document:
        return read_uv(document, source)
    raise InvalidLock(source, [f"{source}: is neither pylock.toml nor a lock of uv, Poetry or PDM"])


def _toml(text: str, source: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidLock(source, [f"{source}: is no TOML: {error}"]) from error


def _json(text: str, source: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidLock(source, [f"{source}: is no JSON: {error}"]) from error
    assert isinstance(document, dict)  # noqa: S101 - it begins with a brace
    return document
