"""A TOML document that people write: checked against models, with every mistake reported at once and at its place."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pinfold.domain.errors import InvalidDocument
from pinfold.domain.suggestion import suggestion
from pinfold.policy.toml_places import KeyPath, line_numbers

M = TypeVar("M", bound=BaseModel)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_SYNTAX_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_NAMING_KEYS = ("id", "name", "filename")

_SENTENCES = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "datetime_type": "must be a date with a time, such as 2026-03-24T10:52:00Z",
    "timezone_aware": "must state its time zone, as in 2026-03-24T10:52:00Z",
}


class Table(BaseModel):
    """A table of a document: frozen, strict, and closed to keys that would do nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TomlDocument:
    """The tables of one document, and the problems that were found in them so far.

    A text that is not TOML is raised as an error of the given class at once: there is nothing to look at further.
    """

    def __init__(self, text: str, source: str, error: type[InvalidDocument]) -> None:
        self.source = source
        self._text = text
        self._error = error
        self._problems: list[tuple[KeyPath, str]] = []
        try:
            self.tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as broken:
            raise error(source, [_syntax_problem(source, text, str(broken))]) from None
        except (ValueError, RecursionError) as broken:
            # Numbers of thousands of digits, and brackets in thousands.
            raise error(source, [f"{source}: cannot be read as TOML: {broken}"]) from None

    def read(self, model: type[M], value: object, *path: str | int) -> M | None:
        """Return the table at a path as a model, or None where it has problems, which are kept."""
        try:
            return model.model_validate(value)
        except ValidationError as invalid:
            for details in invalid.errors(include_url=False):
                below = tuple(key for key in details["loc"] if key != "[key]")
                self.reject(_sentence(details, model), *path, *below)
            return None

    def reject(self, problem: str, *path: str | int) -> None:
        """Keep a problem with the place that it concerns."""
        self._problems.append((path, problem))

    def fail(self) -> NoReturn:
        """Raise every problem that was kept, in the order of the text."""
        lines = line_numbers(self._text)
        placed = sorted(((_nearest_line(lines, path), path, problem) for path, problem in self._problems), key=_by_line)
        raise self._error(
            self.source,
            [": ".join([f"{self.source}:{line}", *self._names(path), problem]) for line, path, problem in placed],
        )

    @property
    def is_sound(self) -> bool:
        """Whether no problem was kept so far."""
        return not self._problems

    def _names(self, path: KeyPath) -> list[str]:
        """Return how people call a place: `rule 2 (minimum-age)`, then `params.days`."""
        names: list[str] = []
        keys: list[str] = []
        value: Any = self.tables
        for key in path:
            if isinstance(key, str):
                value = value.get(key) if isinstance(value, dict) else None
                keys.append(key if _BARE_KEY.fullmatch(key) else shown(key))
                continue
            value = value[key] if isinstance(value, list) and key < len(value) else None
            if isinstance(value, dict):
                names.append(f"{'.'.join(keys)} {key + 1}{_name_of(value)}")
                keys = []
        return [*names, ".".join(keys)] if keys else names


def shown(value: object) -> str:
    """Return a document's value for a message: short, in quotes where it is text, and safe in a terminal."""
    text = json.dumps(value, default=str).replace("\x7f", "\\u007f")
    return text if len(text) <= 60 else f"{text[:57]}..."


def _by_line(placed: tuple[int, KeyPath, str]) -> int:
    return placed[0]


def _nearest_line(lines: dict[KeyPath, int], path: KeyPath) -> int:
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)


def _name_of(table: dict[str, object]) -> str:
    name = next((table[key] for key in _NAMING_KEYS if isinstance(table.get(key), str)), None)
    if name is None:
        return ""
    quoted = shown(name)
    return f" ({quoted[1:-1]})"


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    found = details["input"]
    match details["type"]:
        case "extra_forbidden":
            *above, key = (str(part) for part in details["loc"])
            return f"there is no such key{suggestion(key, _known_keys(model, above))}"
        case "value_error":
            return str(details["ctx"]["error"])
        case "missing":
            return "is missing"
        case kind:
            sentence = _SENTENCES.get(kind) or details["msg"].replace("Input should be", "must be")
            return f"{sentence}, found {shown(found)}"


def _known_keys(model: type[BaseModel], above: list[str]) -> list[str]:
    """Return the keys of the table at a place below a model, by walking the models of its fields."""
    for key in above:
        for name, field in model.model_fields.items():
            if key == (field.alias or name):
                model = next(_models_in(field.annotation), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _syntax_problem(source: str, text: str, message: str) -> str:
    parsed = _SYNTAX_ERROR.fullmatch(message)
    if parsed is None:
        return f"{source}: is not TOML: {message}"
    line = int(parsed[2]) if parsed[2] else text.rstrip("\n").count("\n") + 1
    return f"{source}:{line}: is not TOML: {parsed[1]}"
