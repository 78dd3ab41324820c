"""Inspecting bytes in tests."""

import tempfile
from pathlib import Path

from tests.unit.inspection.archives import PROJECT, VERSION, WHEEL_NAME

from pinfold.domain.inspection import Kind, Report
from pinfold.inspection import Limits, compare, inspect


def examine(
    data: bytes,
    filename: str = WHEEL_NAME,
    *,
    project: str = PROJECT,
    version: str | None = VERSION,
    limits: Limits | None = None,
) -> Report:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return inspect(Path(file.name), filename, project, version, limits or Limits())


def kinds(report: Report) -> set[Kind]:
    return {observation.kind for observation in report.observations}


def new_kinds(report: Report, previous: Report) -> set[Kind]:
    return {observation.kind for observation in compare(report, previous)}
