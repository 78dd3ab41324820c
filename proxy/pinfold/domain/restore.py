"""The way back from plain data: evidence as it was stored, for decisions that are repeated years later."""

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct, structs

from pinfold.domain.evidence import Evidence, Known, Unknown
from pinfold.domain.target import Target, parse_target

_TARGETS = frozenset(get_args(Target))


def restore_evidence(data: object) -> Evidence:
    """Return the evidence that `plain` made this of; raise ValueError for anything else.

    Fields that came to be known later than the evidence was stored have their defaults.
    """
    evidence = _restored(Evidence, data)
    if not isinstance(evidence, Evidence):
        raise _wrong(Evidence, data)
    return evidence


def _restored(kind: Any, data: object) -> Any:
    """Return the value of a type that some plain data stands for, led by the type's annotations."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _of_union(get_args(kind), data)
    if origin is Known:
        return _known(get_args(kind)[0], data)
    if kind is Unknown:
        return _unknown(data)
    if _fields(kind) is not None:
        return _of_object(kind, data)
    if origin is tuple and isinstance(data, list):
        return tuple(_of_tuple(get_args(kind), data))
    if origin is dict and isinstance(data, dict):
        return {key: _restored(get_args(kind)[1], value) for key, value in data.items()}
    return _of_scalar(kind, data)


def _of_scalar(kind: Any, data: object) -> Any:
    if kind is datetime and isinstance(data, str):
        return datetime.fromisoformat(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    # JSON knows one sort of number, and Python counts truth values among the whole ones.
    if type(data) is kind:
        return data
    if kind is float and type(data) is int:
        return float(data)
    raise _wrong(kind, data)


def _of_tuple(kinds: tuple[Any, ...], data: list[Any]) -> list[Any]:
    if kinds[-1] is Ellipsis:
        return [_restored(kinds[0], item) for item in data]
    return [_restored(kind, item) for kind, item in zip(kinds, data, strict=True)]


def _of_union(members: tuple[Any, ...], data: object) -> Any:
    """Return what fits one of the members: names of fields tell classes apart."""
    if data is None and types.NoneType in members:
        return None
    if isinstance(data, str) and _TARGETS.issuperset(members):
        return parse_target(data)
    for member in members:
        if member is not types.NoneType and _may_be(member, data):
            try:
                return _restored(member, data)
            except ValueError:
                continue
    raise _wrong(members, data)


def _may_be(member: Any, data: object) -> bool:
    names = _fields(member)
    return names is None or member is Unknown or (isinstance(data, dict) and data.keys() == names.keys())


def _known(kind: Any, data: object) -> Known[Any]:
    if not isinstance(data, dict) or data.keys() != {"known"}:
        raise _wrong(Known, data)
    return Known(_restored(kind, data["known"]))


def _unknown(data: object) -> Unknown:
    if not isinstance(data, dict) or data.keys() != {"unknown"} or not isinstance(data["unknown"], str):
        raise _wrong(Unknown, data)
    return Unknown(data["unknown"])


def _of_object(kind: Any, data: object) -> Any:
    if not isinstance(data, dict):
        raise _wrong(kind, data)
    hints = _hints(kind)
    if any(is_required and name not in data for name, is_required in (_fields(kind) or {}).items()):
        raise _wrong(kind, data)
    return kind(**{name: _restored(hints[name], value) for name, value in data.items() if name in hints})


@cache
def _fields(kind: Any) -> dict[str, bool] | None:
    """Return the fields of a dataclass or a struct, each with whether it must be given; None for any other type."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return {field.name: field.required for field in structs.fields(kind)}
    if is_dataclass(kind):
        return {field.name: field.default is field.default_factory is MISSING for field in fields(kind)}
    return None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _wrong(kind: object, data: object) -> ValueError:
    return ValueError(f"{str(data)[:80]!r} is no {getattr(kind, '__name__', kind)}")
