"""Where settings come from: one document, the environment, and the command line's flags."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinfold.domain.errors import InvalidSettings

KeyPath = tuple[str, ...]

CONFIG_VARIABLE = "PINFOLD_CONFIG"
DEFAULT_CONFIG = Path("pinfold.toml")
_PREFIX = "PINFOLD_"

# A Kubernetes service called pinfold, or pinfold-<anything>, puts these into every container beside it.
_SERVICE_LINK = re.compile(
    r"PINFOLD_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)

PATH_KEYS = frozenset(
    (
        *("data", "policy", "source", "trusted_root", "tuf_root", "password_file", "secret_file", "ca_file"),
        *("checkpoint_file", "checkpoint_ca_file"),
    )
)
"""Keys that hold paths, in whichever table; those in a document count from its folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Some settings, as a tree of tables, with what to call the place of each in a message."""

    values: Mapping[str, Any]
    names: Mapping[KeyPath, str]
    """By the path of each value, and of each table, that the source gives."""


def find_config(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the document that counts: the one named, else the variable's, else `./pinfold.toml` where there is one."""
    if config is not None:
        return config
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def read_file(path: Path) -> Source:
    """Return what a document sets; raise InvalidSettings where it cannot be read or is not TOML."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings([f"{path}: cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise InvalidSettings([f"{path}: is not a TOML document: {error}"]) from error
    names = {keys: f"{path}: {'.'.join(keys)}" for keys in _paths(values)}
    return Source({key: _anchored(key, value, path.parent) for key, value in values.items()}, names)


def read_environment(environ: Mapping[str, str]) -> Source:
    """Return what `PINFOLD_<TABLE>__<KEY>` variables set.

    Names of upstreams, indexes and feeds hold hyphens and no underscores, so that an underscore stands for a hyphen in
    them.
    """
    values: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or variable == CONFIG_VARIABLE or _is_service_link(variable, value):
            continue
        keys = variable.removeprefix(_PREFIX).lower().split("__")
        if keys[0] in ("upstreams", "indexes", "feeds") and len(keys) > 1:
            keys[1] = keys[1].replace("_", "-")
        names[tuple(keys)] = variable
        values = merged(values, _nested(tuple(keys), value))
    return Source(values, names)


def read_overrides(overrides: Mapping[str, Any]) -> Source:
    """Return what flags set, given by dotted key such as `server.port`; None is a flag that was not given."""
    values: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for dotted, value in overrides.items():
        if value is None:
            continue
        keys = tuple(dotted.split("."))
        names[keys] = f"command line: {dotted}"
        values = merged(values, _nested(keys, value))
    return Source(values, names)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both trees in one, where what is above wins."""
    result = dict(below)
    for key, value in above.items():
        present = result.get(key)
        result[key] = merged(present, value) if isinstance(present, dict) and isinstance(value, dict) else value
    return result


def _is_service_link(variable: str, value: str) -> bool:
    if "__" in variable or not _SERVICE_LINK.fullmatch(variable):
        return False
    return variable != "PINFOLD_PORT" or "://" in value


def _nested(keys: KeyPath, value: object) -> dict[str, Any]:
    *above, last = keys
    tree = {last: value}
    for key in reversed(above):
        tree = {key: tree}
    return tree


def _paths(tree: Mapping[str, Any], above: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in tree.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))


def _anchored(key: str, value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {name: _anchored(name, inner, folder) for name, inner in value.items()}
    if isinstance(value, list):
        return [_anchored(key, inner, folder) for inner in value]
    return str(folder / value) if isinstance(value, str) and _is_path(key, value) else value


def _is_path(key: str, value: str) -> bool:
    if not value or key not in PATH_KEYS:
        return False
    if key == "policy":
        return value.endswith(".toml")  # otherwise a shipped policy's name
    return key != "source" or "://" not in value
