"""Every key that there is, for what has to hold for all of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from pinfold.settings import Settings


class Key(NamedTuple):
    """A key that holds a value and no table."""

    table: str
    """Its dotted name, less what upstreams, indexes and feeds are called."""
    name: str
    types: tuple[Any, ...]
    """What makes up its annotation."""


def every_key(model: type[BaseModel] = Settings, table: str = "") -> Iterator[Key]:
    for name, field in model.model_fields.items():
        types = tuple(_parts(field.annotation))
        tables = [each for each in types if isinstance(each, type) and issubclass(each, BaseModel)]
        for each in tables:
            yield from every_key(each, f"{table}.{name}".strip("."))
        if not tables:
            yield Key(table, name, types)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
