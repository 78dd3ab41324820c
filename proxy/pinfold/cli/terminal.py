"""What the command line prints: one JSON document, or text that cannot steer the terminal it is shown on."""

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

GAP = "  "


@dataclass(frozen=True, slots=True)
class Painted:
    """Text in a colour, where the terminal has any and NO_COLOR does not forbid it."""

    text: str
    colour: str | None = None
    bold: bool = False
    dim: bool = False


Text = str | Painted
Line = Text | Sequence[Text]
"""A text, or several one after the other."""


def printable(text: str) -> str:
    r"""Return a text with everything that a terminal could obey, or hide, spelled out as in `\x1b`.

    Names, reasons and user agents come from strangers: escape sequences could rewrite what was printed before them,
    and bidirectional marks could show a name as another.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class PrintableLog(logging.Formatter):
    """Formats what is logged beside a command's answer, which quotes strangers too, as one printable line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's level and message, with the traceback where there is one."""
        return printable(super().format(record))


def say(*lines: Line) -> None:
    """Print lines to standard output."""
    for line in lines:
        click.echo(_painted(line))


def note(*lines: Line) -> None:
    """Print lines to standard error: what is no part of the answer."""
    for line in lines:
        click.echo(_painted(line), err=True)


def say_json(document: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document, in ASCII, so that nothing in it means anything to a terminal."""
    click.echo(json.dumps(document, indent=indent, ensure_ascii=True))


class Progress:
    """One line on the terminal, rewritten; nothing where nobody looks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = sys.stderr.isatty()
        self._told = ""

    def __call__(self, what: str, done: int, of: int | None = None) -> None:
        """Tell what is being done, how far it is, and how far it goes where that is known."""
        share = f"{100 * done // of} %" if of else f"{done:,}"
        told = f"{self._name}: {what} {share}"
        if self._shown and told != self._told:
            click.echo(f"\r{told}\x1b[K", nl=False, err=True)
            self._told = told

    def end(self) -> None:
        """Leave the line to what follows."""
        if self._told:
            click.echo("\r\x1b[K", nl=False, err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[Text]]) -> list[Line]:
    """Return lines with aligned columns under headings; what is too wide for a column is never cut."""
    lines: list[Sequence[Text]] = [[Painted(heading, dim=True) for heading in headings], *rows]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(headings))]
    return [_aligned(line, widths) for line in lines]


def moment(time: datetime | None, *, seconds: bool = False) -> str:
    """Return a time in UTC to the minute, as in `2026-03-24 10:39`, or to the second."""
    return "" if time is None else f"{time.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"


def _aligned(cells: Sequence[Text], widths: Sequence[int]) -> list[Text]:
    line: list[Text] = []
    for cell, width in zip(cells[:-1], widths, strict=False):
        line += [cell, " " * (width - _width(cell)) + GAP]
    return [*line, cells[-1]]


def _width(cell: Text) -> int:
    return len(printable(cell if isinstance(cell, str) else cell.text))


def _painted(line: Line) -> str:
    if isinstance(line, str):
        return printable(line).rstrip()
    if isinstance(line, Painted):
        return click.style(printable(line.text), fg=line.colour, bold=line.bold or None, dim=line.dim or None)
    return "".join(printable(part) if isinstance(part, str) else _painted(part) for part in line).rstrip()
