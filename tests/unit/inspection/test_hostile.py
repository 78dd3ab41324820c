"""Every hostile archive is caught, and is taken for what it is and for nothing else."""

import pytest
from tests.unit.inspection.archives import SDIST_NAME, WHEEL_NAME, Wheel, sdist
from tests.unit.inspection.examining import examine, kinds, new_kinds
from tests.unit.inspection.hostile import Hostile
from tests.unit.inspection.hostile_paths import PATHS
from tests.unit.inspection.hostile_sdists import SDISTS
from tests.unit.inspection.hostile_wheels import WHEELS
from tests.unit.inspection.hostile_zips import ZIPS

from pinfold.domain.inspection import Kind, Report

CASES = [
    *(pytest.param(case, WHEEL_NAME, id=case.name) for case in (*ZIPS, *PATHS, *WHEELS)),
    *(pytest.param(case, SDIST_NAME, id=case.name) for case in SDISTS),
]


@pytest.fixture(scope="module")
def clean() -> dict[str, Report]:
    return {WHEEL_NAME: examine(Wheel().build()), SDIST_NAME: examine(sdist(), SDIST_NAME)}


@pytest.mark.parametrize(("case", "filename"), CASES)
def test_a_hostile_archive_is_taken_for_what_it_is(case: Hostile, filename: str, clean: dict[str, Report]) -> None:
    report = examine(case.build(), filename, limits=case.limits)
    seen = kinds(report)
    if Kind.UNREADABLE_ARCHIVE in seen - case.kinds:
        # Python 3.13's tarfile gives up at headers that earlier ones pass over, so that nothing behind them is read.
        assert Kind.HEADER_MISMATCH in seen & case.kinds, report.observations
    else:
        assert seen == case.kinds, report.observations
    assert case.new <= new_kinds(report, clean[filename])
    assert case.kinds or case.new


@pytest.mark.parametrize(("case", "filename"), CASES)
def test_all_that_is_told_is_printable_ascii_in_one_line(case: Hostile, filename: str) -> None:
    report = examine(case.build(), filename, limits=case.limits)
    told = [*report.observations, *(trait.observation for trait in report.traits)]
    for text in [part for observation in told for part in (observation.text, observation.file or "")]:
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= 400


def test_names_of_hostile_archives_are_unique() -> None:
    names = [case.name for case in (*ZIPS, *PATHS, *WHEELS, *SDISTS)]
    assert len(names) == len(set(names)) >= 100
