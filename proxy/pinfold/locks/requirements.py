"""Requirements files with hashes, as `pip-compile` and `uv pip compile` write them with `--generate-hashes`."""

import re
from collections.abc import Iterable, Iterator

from packaging.requirements import InvalidRequirement, Requirement

from pinfold.domain.pins import Pin
from pinfold.locks.lock import NO_INDEX, Collector, Lock, LockFormat

_HASH = re.compile(r"--hash(?:=|\s+)(\S+)")
_OPTIONS = re.compile(r"\s--")
_INCLUDES = ("-r", "-c", "--requirement", "--constraint")


def read_requirements(text: str, source: str) -> Lock:
    """Return what a requirements file pins. Raises InvalidLock."""
    collector = Collector(source, LockFormat.REQUIREMENTS)
    for number, line in logical_lines(text):
        place = f"line {number}"
        if line.startswith(_INCLUDES):
            collector.leave_out(line, "it leads to another file: name that one as well")
        elif line.startswith(("-e", "--editable")) or _is_direct(line):
            collector.leave_out(line.split(" ;")[0], NO_INDEX)
        elif not line.startswith("-"):
            _read(collector, place, line)
    return collector.lock()


def write_requirements(pins: Iterable[Pin]) -> str:
    """Return pins as a requirements file, which says nothing of file names."""
    releases: dict[str, list[str]] = {}
    for pin in pins:
        hashes = releases.setdefault(pin.release, [])
        if pin.sha256 not in hashes:
            hashes.append(pin.sha256)
    return "".join(
        " \\\n".join([release, *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))]) + "\n"
        for release, hashes in releases.items()
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a requirements file with their numbers: continued ones joined, comments left out."""
    pending, begun = "", 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        begun = begun if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = " ".join(_without_comment(pending + line).split())
        pending = ""
        if whole:
            yield begun, whole


def _read(collector: Collector, place: str, line: str) -> None:
    try:
        requirement = Requirement(_OPTIONS.split(line)[0])
    except (InvalidRequirement, RecursionError) as error:
        collector.reject(place, str(error).splitlines()[0])
        return
    if requirement.url is not None:
        collector.leave_out(f"{requirement.name} @ {requirement.url}", NO_INDEX)
        return
    exact = [each for each in requirement.specifier if each.operator in ("==", "===") and "*" not in each.version]
    if len(exact) != 1 or len(requirement.specifier) != 1:
        collector.reject(place, f"{requirement.name} has no exact version: pin it as {requirement.name}==VERSION")
        return
    hashes = _HASH.findall(line)
    if not hashes:
        collector.reject(
            place,
            f"{requirement.name} has no hash: write the file with `uv pip compile --generate-hashes` or "
            "`pip-compile --generate-hashes`",
        )
    for digest in hashes:
        collector.add(place, requirement.name, exact[0].version, digest)


def _is_direct(line: str) -> bool:
    """Tell whether a line is a path or an address instead of a requirement."""
    first = line.split(" ", maxsplit=1)[0]
    return "@" not in first and ("://" in first or first.startswith((".", "/", "file:")))


def _without_comment(line: str) -> str:
    return line.split(" #", maxsplit=1)[0] if not line.lstrip().startswith("#") else ""
