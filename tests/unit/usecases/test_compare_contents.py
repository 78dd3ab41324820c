from collections.abc import Container

import pytest
from tests.fakes.clock import NOON

from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.inspection import Inspection, Kind, Observation, Report, Trait
from pinfold.domain.names import parse_filename
from pinfold.domain.project import File
from pinfold.ports.report_store import INCOMPLETE_HOLDS, Inspected
from pinfold.usecases.compare_contents import Comparison, ProjectInspections
from pinfold.usecases.inspections import Contents
from pinfold.usecases.project_files import ProjectFiles

HOOK = Observation(Kind.NEW_START_UP_HOOK, "runs at every interpreter start: import os", "widget.pth", 1)
BINARY = Observation(Kind.NEW_BINARY, "an ELF binary", "widget/fast.so")


def a_file(version: str) -> File:
    filename = f"widget-{version}-py3-none-any.whl"
    return File(filename, "", version.rjust(64, "0"), parse_filename(filename, "widget").kind, version)


FILES = [a_file(version) for version in ("1.0", "1.1", "1.2")]


def a_report(file: File, *traits: Observation, observations: tuple[Observation, ...] = ()) -> Inspected:
    told = tuple(Trait(f"{each.file}", each) for each in traits)
    return Inspected(file.sha256, NOON, Report(1, "widget", file.filename, 1, 1, 1, observations, told))


def compared(
    *reports: Inspected, refused: Container[int] = (), unsettled: Container[int] = (), of: int = 2
) -> Inspection:
    contents = Contents({(each.report.filename, each.sha256): each for each in reports})
    project = ProjectFiles(FILES, listed=len(FILES))
    comparison = Comparison(project, contents, lambda one: one not in refused, lambda one: one not in unsettled)
    assert of in comparison.order()
    return comparison.inspection_of(of)


def test_what_the_release_before_had_is_not_new() -> None:
    inspection = compared(a_report(FILES[1], HOOK), a_report(FILES[2], HOOK, BINARY))
    assert (inspection.previous, inspection.news) == (FILES[1].filename, (BINARY,))


def test_a_refused_release_excuses_nothing() -> None:
    reports = [a_report(FILES[0]), a_report(FILES[1], HOOK), a_report(FILES[2], HOOK)]
    assert compared(*reports, refused={1}).news == (HOOK,)
    assert compared(*reports).news == ()


def test_nor_does_one_that_is_itself_not_settled() -> None:
    inspection = compared(a_report(FILES[0]), a_report(FILES[1], HOOK), a_report(FILES[2], HOOK), unsettled={1})
    assert (inspection.previous, inspection.news) == (FILES[1].filename, None)


def test_something_grave_is_held_against_a_release_only_once_the_one_right_before_is_known() -> None:
    inspection = compared(a_report(FILES[0]), a_report(FILES[2], HOOK))
    assert (inspection.previous, inspection.news) == (FILES[1].filename, None)


def test_an_earlier_release_will_do_where_nothing_grave_is_new_against_it() -> None:
    inspection = compared(a_report(FILES[0], HOOK), a_report(FILES[2], HOOK, BINARY))
    assert (inspection.previous, inspection.news) == (FILES[0].filename, (BINARY,))


def test_what_is_not_grave_needs_no_release_to_compare_with() -> None:
    inspection = compared(a_report(FILES[2], BINARY))
    assert (inspection.previous, inspection.news) == (None, ())


@pytest.mark.parametrize(("refused", "of"), [({0, 1}, 2), ((), 0)], ids=["all before are refused", "the first"])
def test_without_any_earlier_release_everything_grave_is_new(refused: Container[int], of: int) -> None:
    inspection = compared(a_report(FILES[of], HOOK, BINARY), refused=refused, of=of)
    assert (inspection.previous, inspection.news) == (None, (HOOK,))


def test_an_incomplete_report_holds_for_a_while() -> None:
    short = Observation(Kind.TOO_LARGE, "not inspected to the end")
    assert compared(a_report(FILES[2], observations=(short,))).again_at == NOON + INCOMPLETE_HOLDS
    assert compared(a_report(FILES[2])).again_at is None


def test_what_is_not_inspected_is_unknown_and_what_its_page_lists_no_more_is_compared_with_nothing() -> None:
    gone = a_report(FILES[1], HOOK, BINARY)
    known = ProjectInspections(Contents({(FILES[1].filename, FILES[1].sha256): gone}))
    assert known.of(FILES[0]) == Unknown("not inspected yet")
    assert known.of(FILES[1]) == Known(Inspection(1, news=(HOOK,)))
    assert known.failing(FILES[1], Unknown("no")).of(FILES[1]) == Unknown("no")
