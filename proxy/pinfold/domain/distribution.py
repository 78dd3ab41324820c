"""What a file's own name says of it, by the standards that today's build tools keep to."""

from dataclasses import dataclass
from math import prod

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_version,
    parse_sdist_filename,
    parse_wheel_filename,
)

from pinfold.domain.errors import InvalidName
from pinfold.domain.names import FileKind, is_filename, normalise, parse_filename

MOST_TAGS = 1_000
"""That one wheel is for: a name of a few dozen parts multiplies to tens of thousands."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel or an sdist by its name (PEP 427, PEP 625)."""

    filename: str
    kind: FileKind
    project: str
    """Normalised."""
    version: str
    """In PEP 440's canonical spelling."""
    slot: str
    """The same for all spellings of one thing: `Acme_Tool-1.0.tar.gz` and `acme.tool-1.zip` are the same release's
    sdist, of which there is one."""


def parse_distribution(filename: str) -> Distribution:
    """Return what a file name says; raise InvalidName for what names neither a wheel nor an sdist."""
    if not is_filename(filename):
        raise InvalidName(f"{filename[:80]!r} is not a distribution's file name")
    try:
        distribution = _wheel(filename) if filename.endswith(".whl") else _sdist(filename)
    # packaging leaves the numbers that int() refuses to int().
    except (InvalidWheelFilename, InvalidSdistFilename, ValueError) as error:
        raise InvalidName(f"{filename[:80]!r} is not a distribution's file name: {error}") from error
    # Whoever reads the name later, on a page or in a target, must read the same.
    if parse_filename(filename, distribution.project).version != distribution.version:
        raise InvalidName(f"{filename[:80]!r} can be read as several versions")
    return distribution


def count_tags(compressed: str) -> int:
    """Return how many tags a compressed set of them (`py2.py3-none-any`) stands for at most, without making them."""
    return prod(part.count(".") + 1 for part in compressed.split("-"))


def _wheel(filename: str) -> Distribution:
    if count_tags("-".join(filename.removesuffix(".whl").split("-")[-3:])) > MOST_TAGS:
        raise ValueError(f"more than {MOST_TAGS} tags")
    name, version, build, tags = parse_wheel_filename(filename)
    number = f"{build[0]}{build[1]}" if build else ""
    slot = " ".join([str(normalise(name)), canonicalize_version(version), number, *sorted(map(str, tags))])
    return Distribution(filename, FileKind.WHEEL, normalise(name), str(version), f"wheel {slot}")


def _sdist(filename: str) -> Distribution:
    name, version = parse_sdist_filename(filename)
    project = normalise(name)
    return Distribution(
        filename, FileKind.SDIST, project, str(version), f"sdist {project} {canonicalize_version(version)}"
    )
