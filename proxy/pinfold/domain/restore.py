"""The way back from plain data: evidence as it was stored, for decisions that are repeated years later."""

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

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
    if is_dataclass(kind):
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
    """Return what fits one of the members: names of fields tell dataclasses apart."""
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
    if not is_dataclass(member) or member is Unknown:
        return True
    return isinstance(data, dict) and data.keys() == {field.name for field in fields(member)}


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
    missing = [field.name for field in fields(kind) if _is_required(field) and field.name not in data]
    if missing:
        raise _wrong(kind, data)
    return kind(**{name: _restored(hints[name], value) for name, value in data.items() if name in hints})


def _is_required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _wrong(kind: object, data: object) -> ValueError:
    return ValueError(f"{str(data)[:80]!r} is no {getattr(kind, '__name__', kind)}")
