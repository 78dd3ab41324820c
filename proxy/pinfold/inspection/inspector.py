"""The way in: a file on disk becomes a report, whatever is in the file."""

import logging
from pathlib import Path

from pinfold.domain.inspection import Kind, Report
from pinfold.inspection.limits import Budget, Limits, TooLarge, Unreadable
from pinfold.inspection.notes import Notes
from pinfold.inspection.release import Release
from pinfold.inspection.sdist import inspect_tar_sdist, inspect_zip_sdist
from pinfold.inspection.wheel import inspect_wheel

INSPECTOR = 3
"""Raised when inspections see more, or see things otherwise, so that stored reports are made anew."""

_DEFAULTS = Limits()
_FORMATS = {".whl": inspect_wheel, ".tar.gz": inspect_tar_sdist, ".zip": inspect_zip_sdist}

log = logging.getLogger(__name__)


def inspect(path: Path, filename: str, project: str, version: str | None, limits: Limits = _DEFAULTS) -> Report:
    """Inspect the archive at a path that an index lists under a file name.

    `project` is normalised and `version` canonical, as `parse_filename` returns them. Hostile content never raises:
    what cannot be read is an observation. Raises OSError where the file on disk cannot be read.

    Blocks, and holds the interpreter's lock for up to half a second at a time where large modules are parsed: run it
    in a process of its own where others must not wait.
    """
    size = path.stat().st_size
    notes, budget = Notes(limits), Budget(limits, size)
    look = next((look for suffix, look in _FORMATS.items() if filename.lower().endswith(suffix)), None)
    with path.open("rb") as file:
        try:
            if look is None:
                notes.observe(Kind.UNSUPPORTED_FORMAT, "neither a wheel nor a .tar.gz or .zip sdist: not inspected")
            else:
                look(file, size, Release(project, version), notes, budget)
        except TooLarge as error:
            notes.observe(Kind.TOO_LARGE, f"not inspected to the end: {error}")
        except Unreadable as error:
            notes.observe(Kind.UNREADABLE_ARCHIVE, str(error))
        except OSError:
            raise
        except Exception as error:
            log.exception("the inspection of %s failed", filename)
            notes.observe(Kind.INSPECTION_FAILED, f"not inspected to the end: {type(error).__name__}")
    return Report(
        inspector=INSPECTOR,
        project=project,
        filename=filename,
        size=size,
        unpacked_size=budget.unpacked,
        entries=budget.entries,
        observations=notes.observations,
        traits=notes.traits,
    )
