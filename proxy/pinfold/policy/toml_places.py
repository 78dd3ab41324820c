"""Where in a TOML text each table and key stands: what tomllib's plain data cannot tell."""

import tomllib
from collections import Counter
from collections.abc import Iterator

KeyPath = tuple[str | int, ...]
"""The way to a table or value in a document: keys by name, elements of arrays by position."""

_CLOSING = ("]", "}", '"""', "'''")
"""A value that goes on over several lines ends in a line with one of these."""


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, at which each table and key of a valid TOML text begins."""
    found: dict[KeyPath, int] = {}
    arrays: Counter[KeyPath] = Counter()
    table: KeyPath = ()
    for line, fragment, is_header in _statements(text):
        if is_header:
            table = _header_path(fragment, arrays)
            found[table] = line
        else:
            for path in _paths(fragment, table):
                found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, dict[str, object], bool]]:
    """Split a text into its headers and its keys with their values, by growing each until it parses by itself."""
    lines = text.replace("\r\n", "\n").split("\n")
    position = 0
    while position < len(lines):
        first, statement = position, lines[position]
        position += 1
        while (fragment := _parsed(statement)) is None:
            # Trying at each line would take minutes for a list of thousands.
            end = next(at for at in range(position, len(lines)) if any(mark in lines[at] for mark in _CLOSING)) + 1
            statement = "\n".join([statement, *lines[position:end]])
            position = end
        if fragment:
            yield first + 1, fragment, statement.lstrip().startswith("[")


def _parsed(statement: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return None


def _header_path(fragment: object, arrays: Counter[KeyPath]) -> KeyPath:
    """Return the path of a table from its header, parsed alone: `[[rule]]` gives `{"rule": [{}]}`."""
    path: KeyPath = ()
    while isinstance(fragment, dict) and fragment:
        ((key, fragment),) = fragment.items()
        path = (*path, key)
        if isinstance(fragment, list):
            arrays[path] += 1
            (fragment,) = fragment
        if arrays[path]:
            path = (*path, arrays[path] - 1)
    return path


def _paths(value: object, above: KeyPath) -> Iterator[KeyPath]:
    children: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    for key, child in children:
        yield (*above, key)
        yield from _paths(child, (*above, key))
