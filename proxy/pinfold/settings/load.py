"""From the sources to settings: later sources win, and every problem is reported at once with its place."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pinfold.domain.errors import InvalidSettings
from pinfold.domain.suggestion import suggestion
from pinfold.settings.model import Settings
from pinfold.settings.sources import KeyPath, find_config, merged, read_environment, read_file, read_overrides
from pinfold.settings.table import Disagreement

_SENTENCES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "model_type": "must be a table",
    "path_not_file": "there is no such file",
    "string_type": "must be a text in quotes",
    "tuple_type": "must be a list",
}
"""TOML's words where pydantic speaks of Python's types."""


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings: defaults, then the document, then `PINFOLD_...` variables, then flags.

    `config` names the document; without it `find_config` tells. `overrides` are the flags' values by dotted key.
    Raises InvalidSettings with every problem and its place, and never with a value, which may be a secret.
    """
    document = find_config(config, environ)
    sources = [read_file(document)] if document is not None else []
    sources += [read_environment(environ), read_overrides(overrides or {})]
    tree: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for source in sources:
        tree = merged(tree, source.values)
        names.update(source.names)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        found = [problem for details in error.errors(include_url=False) for problem in _problems(details)]
        raise InvalidSettings([f"{_place(keys, names)}: {problem}" for keys, problem in found]) from None


def _problems(error: ErrorDetails) -> list[tuple[KeyPath, str]]:
    keys = tuple(str(key) for key in error["loc"] if key != "[key]")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Disagreement):
        return [((*keys, *below), problem) for below, problem in cause.problems.items()]
    if error["type"] == "extra_forbidden":
        return [(keys, f"there is no such key{suggestion(keys[-1], _known_keys(keys[:-1]))}")]
    if error["type"] == "value_error":
        return [(keys, str(cause))]
    return [(keys, _SENTENCES.get(error["type"]) or error["msg"].replace("Input should be", "must be"))]


def _known_keys(table: KeyPath) -> list[str]:
    """Return the keys of a table, found by walking the models: a dict's values are tables under names of choice."""
    model: type[BaseModel] = Settings
    for key in table:
        annotation = model.model_fields[key].annotation if key in model.model_fields else None
        for candidate in (annotation, *get_args(annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return list(model.model_fields)


def _place(keys: KeyPath, names: Mapping[KeyPath, str]) -> str:
    """Return what to call a place: by what set it, or something in it, or the table above."""
    for path, name in names.items():
        if path[: len(keys)] == keys:
            return name
    for length in range(len(keys) - 1, 0, -1):
        if keys[:length] in names:
            return ".".join([names[keys[:length]], *keys[length:]])
    return ".".join(keys)
