"""Files that are looked at one by one, in any order, are judged as if all were judged at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.clock import NOON
from tests.fakes.evidence import SNAPSHOT
from tests.unit.usecases.judged import told

from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event, ProjectClaims
from pinfold.domain.evidence import Known
from pinfold.domain.inspection import Kind, Observation, Report, Trait
from pinfold.domain.listing import observe
from pinfold.domain.names import FileKind, newest_release
from pinfold.domain.project import File, Project
from pinfold.domain.provenance import TrustRoot
from pinfold.domain.records import Records
from pinfold.inspection import INSPECTOR
from pinfold.policy.document import parse_policy
from pinfold.ports.catalog import Stored
from pinfold.ports.report_store import Inspected
from pinfold.ports.upstream import Validators
from pinfold.usecases.beside_the_loop import TakesLong
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judge_project import judge, judge_seen
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.project_files import IN_THREAD_ABOVE
from pinfold.usecases.provenances import Knowledge

POLICY = parse_policy(
    "\n".join(
        f'[[rule]]\nid = "{rule}"\n{params}\n'
        for rule, params in {
            "minimum-age": 'params = { days = 3, fixes = "serve" }',
            "known-vulnerability": "",
            "contents": "params = { }",
            "vanished": "params = { days = 30 }",
            "provenance": 'params = { require = "all" }\non_fail = "warn"',
            "provenance-downgrade": 'params = { line = "major" }',
        }.items()
    ),
    "test.toml",
)
VERSIONS = ("1.0", "1.1", "2.0rc1", "2.0", "2.1", "3.0", None)
HOOK = Observation(Kind.NEW_START_UP_HOOK, "runs at every start: import os", "demo.pth", 1)
ESCAPE = Observation(Kind.PATH_ESCAPE, "leaves its folder", "../demo")
ROOT = Known(TrustRoot("5" * 64, NOON))


class Nobody:
    name = "pypi"


SOURCE = Source(Nobody())  # type: ignore[arg-type]


@dataclass(frozen=True)
class Made:
    """A file of a project as a test makes it up."""

    version: str | None
    hours: int
    """Since it was uploaded."""
    attested: bool
    yanked: bool
    gone: bool
    seen: str
    """What was seen in it, if it was inspected."""

    def file(self, place: int) -> File:
        name = f"demo-{place}-{self.version}.whl"
        address = f"https://files.example/{name}"
        return File(
            name,
            address,
            f"{place:064}",
            FileKind.WHEEL,
            self.version,
            upload_time=NOON - timedelta(hours=self.hours),
            yanked="" if self.yanked else None,
            provenance=f"{address}.provenance" if self.attested else True,
        )


made = st.builds(
    Made,
    st.sampled_from(VERSIONS),
    st.sampled_from([1, 71, 73, 900]),
    st.booleans(),
    st.sampled_from([False, False, True]),
    st.sampled_from([False, False, True]),
    st.sampled_from(["", "", "nothing", "hook", "escape"]),
)


def contents_of(files: list[File], seen: list[str]) -> Contents:
    contents = Contents()
    for file, what in zip(files, seen, strict=True):
        if what:
            traits = (Trait("demo", HOOK),) if what == "hook" else ()
            report = Report(INSPECTOR, "demo", file.filename, 1, 1, 1, (ESCAPE,) if what == "escape" else (), traits)
            contents = contents.adding(Inspected(file.sha256, NOON, report))
    return contents


def judged(project: list[Made], seen: list[str], fixed: str | None, at: datetime = NOON) -> JudgedProject:
    files = [each.file(place) for place, each in enumerate(project)]
    listing = observe(None, Project("demo", tuple(files)), NOON - timedelta(days=1))
    left = tuple(file for file, each in zip(files, project, strict=True) if not each.gone)
    listing = observe(listing, Project("demo", left), NOON - timedelta(hours=1))
    found = Found(SOURCE, Stored(listing, Validators(), NOON + timedelta(days=9)))
    events = (Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, fixed or ""))
    claims = (Claim("PYSEC-2026-7", AdvisoryKind.VULNERABILITY, ranges=(events,)),) if fixed else ()
    about = Known(ProjectClaims((SNAPSHOT,), claims))
    grounds = Grounds(Records(0), Knowledge(ROOT), contents_of(files, seen), about)
    return judge(Index("main", (SOURCE,), POLICY), "demo", found, grounds, at)


LOOKS = {
    "the file": lambda project, judged: told([judged]),
    "what to inspect": lambda project, judged: project.to_inspect(judged),
    "what to verify": lambda project, _: project.to_verify,
    "the last good one": lambda project, _: project.last_good,
    "why": lambda project, judged: project.refusal_of(judged) if judged.refused else None,
    "why as of before": lambda project, judged: (
        project.refusal_of(judged, NOON - timedelta(hours=2)) if judged.refused else None
    ),
    "all": lambda project, _: project.changes_at,
}
looks = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(sorted(LOOKS))), max_size=12)
projects = st.lists(made, min_size=1, max_size=10)
fixes = st.sampled_from([None, "1.1", "2.0", "3.0"])


@given(projects, fixes, looks)
def test_it_makes_no_difference_what_is_looked_at_before(project: list[Made], fixed: str | None, wanted) -> None:
    seen = [each.seen for each in project]
    one, whole = judged(project, seen, fixed), judged(project, seen, fixed).whole()
    for place, what in wanted:
        look, position = LOOKS[what], place % len(project)
        assert look(one, one.files[position]) == look(whole, whole.files[position])
    assert told(one.files) == told(whole.files)
    assert (one.changes_at, one.to_verify, one.last_good) == (whole.changes_at, whole.to_verify, whole.last_good)


@given(projects, looks, st.integers(0, 10))
def test_nor_what_was_looked_at_before_more_was_seen(project: list[Made], wanted, before: int) -> None:
    seen = [each.seen for each in project]
    one = judged(project, [what if place < before else "" for place, what in enumerate(seen)], None)
    for place, what in wanted:
        LOOKS[what](one, one.files[place % len(project)])
    whole = judged(project, seen, None)
    again = judge_seen(one, whole.grounds.contents or Contents(), NOON)
    assert again is not None
    assert told(again.files) == told(whole.files)
    assert (again.changes_at, again.to_verify, again.last_good) == (whole.changes_at, whole.to_verify, whole.last_good)


@given(projects, fixes)
def test_the_last_good_release_is_the_newest_that_is_offered(project: list[Made], fixed: str | None) -> None:
    one = judged(project, [each.seen for each in project], fixed)
    last_good = one.last_good
    assert last_good == newest_release(each.file.version for each in one.files if each.is_offered)


@given(projects, fixes)
def test_what_was_judged_stands_as_long_as_all_that_it_rests_on(project: list[Made], fixed: str | None) -> None:
    seen = [each.seen for each in project]
    for position in range(len(project)):
        one = judged(project, seen, fixed)
        changes_at = one.files[position].decision.changes_at
        assert changes_at is None or not one.stands_at(changes_at)
        assert one.stands_at(NOON)
        assert one.stands_until <= (changes_at or one.found.fresh_until)


def test_a_fix_is_let_through_for_no_longer_than_what_it_would_replace_is_the_newest() -> None:
    ages = [("1.0", 900), ("2.0", 71), ("2.0", 1)]
    project = [Made(version, hours, False, False, False, "") for version, hours in ages]
    one = judged(project, [""] * 3, "2.0")
    assert not one.files[2].refused, "it fixes what 1.0 has"
    later = judged(project, [""] * 3, "2.0", NOON + timedelta(hours=2))
    assert later.files[2].refused, "by now 2.0 is old enough to be replaced, and does not have it"
    assert not one.stands_at(later.judged_at)


def test_a_file_is_judged_with_no_others_than_it_is_compared_with() -> None:
    project = [Made(version, 900, False, False, False, "") for version in VERSIONS]
    one = judged(project, ["", "", "", "", "", "hook", ""], None)
    assert one.files.judged == 1, "the release before what was inspected"
    assert one.files[0].decision
    assert one.files.judged == 2
    assert (one.last_good, one.files.judged) == ("3.0", 3)


async def test_nothing_is_laid_out_of_many_files_on_the_event_loop() -> None:
    few, many = ([Made("1.0", 900, False, False, False, "")] * count for count in (1, IN_THREAD_ABOVE + 1))
    assert judged(few, [""], None).last_good == "1.0"
    with pytest.raises(TakesLong):
        judged(many, [""] * len(many), None)


def test_nothing_of_a_project_is_left_in_memory_after_it() -> None:
    project = judged(
        [Made("1.0", 900, False, False, False, "hook"), Made("2.0", 1, True, False, False, "")], ["hook", ""], None
    )
    kept = list(project.files)
    gone = ref(project)
    del project
    # Its files are not looked after by the garbage collector.
    assert gone() is None
    assert [each.evidence.project for each in kept] == ["demo", "demo"]


def test_a_file_is_described_without_the_others_of_its_project() -> None:
    def described(count: int) -> str:
        project = judged([Made("1.0", 900, False, False, False, "")] * count, [""] * count, None)
        return repr((project, project.files[0]))

    # Each would be told with all others: gigabytes where there are thousands.
    assert len(described(50)) < len(described(1)) + 50
