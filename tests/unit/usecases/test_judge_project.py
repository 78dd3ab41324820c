"""What is judged again after more was seen in files is judged as if it all had been seen before."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.clock import NOON
from tests.fakes.evidence import SNAPSHOT
from tests.unit.usecases.judged import told

from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event, ProjectClaims
from pinfold.domain.evidence import NO_FEED, Item, Known
from pinfold.domain.inspection import Kind, Observation, Report, Trait
from pinfold.domain.listing import observe
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project
from pinfold.domain.records import Records
from pinfold.inspection import INSPECTOR
from pinfold.policy.document import parse_policy
from pinfold.ports.catalog import Stored
from pinfold.ports.report_store import Inspected
from pinfold.ports.upstream import Validators
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judge_project import judge, judge_seen
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Grounds

VERSIONS = ("1.0", "1.1", "1.1.post1", "2.0", "3.0")
POLICY = parse_policy(
    '[[rule]]\nid = "contents"\nparams = { }\n\n[[rule]]\nid = "minimum-age"\nparams = { days = 3 }\n', "test.toml"
)
SIGHTS = {
    "nothing": None,
    "hook": Observation(Kind.NEW_START_UP_HOOK, "runs at every start: import os", "demo.pth", 1),
    "binary": Observation(Kind.NEW_BINARY, "an ELF binary", "demo/fast.so"),
    "escape": Observation(Kind.PATH_ESCAPE, "leaves its folder", "../demo"),
}
LATER = NOON + timedelta(hours=1)


class Nobody:
    name = "pypi"


SOURCE = Source(Nobody())  # type: ignore[arg-type]


@dataclass(frozen=True)
class Sight:
    """What is seen in the wheel of a version."""

    version: str
    what: str


def a_wheel(version: str, days: int = 90) -> File:
    name = f"demo-{version}-py3-none-any.whl"
    digest = f"{VERSIONS.index(version):064}"
    uploaded = NOON - timedelta(days=days)
    return File(name, f"https://files.example/{name}", digest, FileKind.WHEEL, version, upload_time=uploaded)


def contents_of(sights: list[Sight]) -> Contents:
    contents = Contents()
    for sight in sights:
        file, seen = a_wheel(sight.version), SIGHTS[sight.what]
        refused = (seen,) if seen is not None and sight.what == "escape" else ()
        traits = (Trait("demo", seen),) if seen is not None and not refused else ()
        report = Report(INSPECTOR, "demo", file.filename, 1, 1, 1, refused, traits)
        contents = contents.adding(Inspected(file.sha256, NOON, report))
    return contents


def judged(contents: Contents | None, about: Item[ProjectClaims] = NO_FEED, *, gone: str = "") -> JudgedProject:
    files = tuple(a_wheel(version, days=90 - 20 * place) for place, version in enumerate(VERSIONS))
    listing = observe(None, Project("demo", files, VERSIONS), NOON)
    left = tuple(file for file in files if file.version != gone)
    listing = observe(listing, Project("demo", left, VERSIONS), NOON) if gone else listing
    found = Found(SOURCE, Stored(listing, Validators(), NOON + timedelta(days=9)))
    index = Index("main", (SOURCE,), POLICY)
    return judge(index, "demo", found, Grounds(Records(0), contents=contents, about=about), NOON)


sights = st.lists(
    st.builds(Sight, st.sampled_from(VERSIONS), st.sampled_from(sorted(SIGHTS))),
    max_size=6,
    unique_by=lambda s: s.version,
)


@given(sights, st.integers(0, 6), st.sampled_from(["", *VERSIONS]))
def test_it_makes_no_difference_when_what_was_seen(seen: list[Sight], before: int, gone: str) -> None:
    earlier, everything = contents_of(seen[:before]), contents_of(seen)
    at_once = judged(everything, gone=gone)
    again = judge_seen(judged(earlier, gone=gone), everything, NOON)
    assert again is not None
    assert told(again.files) == told(at_once.files)
    assert (again.to_verify, again.changes_at) == (at_once.to_verify, at_once.changes_at)
    assert (again.last_good, again.grounds) == (at_once.last_good, at_once.grounds)
    assert [at_once.to_inspect(one) for one in at_once.files] == [again.to_inspect(one) for one in again.files]


def test_what_was_not_looked_into_keeps_its_judgement() -> None:
    before = judged(Contents()).whole()
    again = judge_seen(before, contents_of([Sight("3.0", "hook")]), LATER)
    assert again is not None
    assert [one is other for one, other in zip(before.files, again.files, strict=True)] == [True] * 4 + [False]
    assert (before.files[-1].refused, again.judged_at) == (False, LATER)


def test_everything_is_judged_where_a_fix_may_replace_another_release() -> None:
    events = (Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, "3.0"))
    claim = Claim("PYSEC-2026-7", AdvisoryKind.VULNERABILITY, ranges=(events,))
    before = judged(Contents(), Known(ProjectClaims((SNAPSHOT,), (claim,))))
    assert judge_seen(before, contents_of([Sight("2.0", "escape")]), NOON) is None


def test_everything_is_judged_where_something_is_known_no_more() -> None:
    assert judge_seen(judged(contents_of([Sight("2.0", "hook")])), Contents(), NOON) is None
    assert judge_seen(judged(None), Contents(), NOON) is None
