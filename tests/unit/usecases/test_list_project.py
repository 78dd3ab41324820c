"""What a page says of files, whatever was kept of an earlier rendering."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.fakes.clock import NOON

from pinfold.domain.decision import PASS, Effect, Finding, Outcome
from pinfold.domain.evidence import Evidence
from pinfold.domain.listing import Listing, observe
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.domain.records import Records
from pinfold.policy.engine import Policy, PolicyRule
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Validators
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Refusals, Source
from pinfold.usecases.judge_project import judge
from pinfold.usecases.judged_project import JudgedProject
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.list_project import HTML, JSON, Digests, Entries, Form, Lister

ROOT = "https://index.example"


class Nobody:
    name = "pypi"


SOURCE = Source(Nobody())  # type: ignore[arg-type]


@dataclass(frozen=True)
class Refusing:
    """A rule against some versions."""

    versions: frozenset[str]
    id = "refusing"
    needs = frozenset()

    def judge(self, evidence: Evidence, at: datetime) -> Finding:
        return Finding(Outcome.FAIL, "not wanted here") if evidence.file.version in self.versions else PASS


def a_wheel(version: str) -> File:
    name = f"demo-{version}-py3-none-any.whl"
    address = f"https://files.example/{name}"
    return File(name, address, f"{int(version):064}", FileKind.WHEEL, version, provenance=f"{address}.provenance")


def a_listing(*gone: str, status: StatusMarker = StatusMarker.ACTIVE) -> Listing:
    files = tuple(map(a_wheel, "12345"))
    before = observe(None, Project("demo", files, tuple("12345")), NOON)
    left = Project("demo", tuple(file for file in files if file.version not in gone), status=UpstreamStatus(status))
    return observe(before, left, NOON + timedelta(days=1))


def judged(listing: Listing, refused: str = "", refusals: Refusals = Refusals.EXPLAIN) -> JudgedProject:
    rule = PolicyRule(Refusing(frozenset(refused)), Effect.DENY, Effect.DENY)  # type: ignore[arg-type]
    index = Index("main", (SOURCE,), Policy("test", "digest", (rule,)), refusals=refusals)
    found = Found(SOURCE, Stored(listing, Validators(), NOON + timedelta(days=9)))
    return judge(index, "demo", found, Grounds(Records(0)), NOON)


def page(project: JudgedProject, entries: Entries | None = None, metadata: Digests | None = None, **more: Any) -> Any:
    lister = Lister(metadata or {}, ROOT, more.pop("still_here", set()))
    rendered = lister.render(project, JSON, entries or Entries(project, {}), **more)
    return None if rendered is None else json.loads(rendered)


def versions_in(page: Any) -> list[str]:
    return [entry["filename"].split("-")[1] for entry in page["files"]]


def yanked_in(page: Any) -> dict[str, str | bool]:
    return {entry["filename"].split("-")[1]: entry["yanked"] for entry in page["files"]}


def test_entries_are_of_the_very_listing_that_they_were_made_of_and_do_not_keep_it_in_memory() -> None:
    listing, metadata = a_listing(), {}
    entries = Entries(judged(listing), metadata)
    assert entries.are_of(judged(listing), metadata)
    assert not entries.are_of(judged(a_listing()), metadata)
    is_kept = ref(listing)
    del listing
    assert is_kept() is None
    assert not entries.are_of(judged(a_listing()), metadata)


@given(
    policies=st.lists(st.sets(st.sampled_from("12345")), min_size=1, max_size=4),
    gone=st.sets(st.sampled_from("12345")),
    refusals=st.sampled_from(list(Refusals)),
    form=st.sampled_from([JSON, HTML]),
)
def test_kept_entries_never_change_a_page(
    policies: list[set[str]], gone: set[str], refusals: Refusals, form: Form
) -> None:
    """However often policies change: the page is that of somebody who kept nothing."""
    listing = a_listing(*gone)
    lister = Lister({}, ROOT, {a_wheel(version).sha256 for version in "123"})
    metadata: Digests = {}
    entries = Entries(judged(listing), metadata)
    for refused in policies:
        project = judged(listing, "".join(refused), refusals)
        assert entries.are_of(project, metadata)
        assert lister.render(project, form, entries) == lister.render(project, form, Entries(project, {}))


def test_entries_end_with_the_listing_and_with_what_is_known_of_metadata() -> None:
    metadata: Digests = {}
    project = judged(a_listing())
    entries = Entries(project, metadata)
    assert entries.are_of(judged(project.found.listing, "1"), metadata)
    assert not entries.are_of(judged(a_listing()), metadata)
    assert not entries.are_of(project, {})


def test_of_a_refused_file_nothing_is_promised_though_it_was_before() -> None:
    listing = a_listing()
    allowed = judged(listing)
    entries = Entries(allowed, {})
    before, after = (page(project, entries)["files"][0] for project in (allowed, judged(listing, "1")))
    assert before["core-metadata"] is True
    assert before["provenance"] == f"{ROOT}/integrity/demo/1/{before['filename']}/provenance"
    assert after["core-metadata"] is False
    assert "provenance" not in after
    assert after["yanked"].startswith("pinfold: denied by refusing: not wanted here; last good 5; ref D-")
    assert page(allowed, entries)["files"][0] == before


def test_the_statement_that_there_is_no_provenance_is_passed_on_for_refused_files_too() -> None:
    listing = a_listing()
    bare = tuple(structs.replace(file, provenance=True) for file in listing.project.files)
    listing = replace(listing, project=replace(listing.project, files=bare))
    assert [entry["provenance"] for entry in page(judged(listing, "1"))["files"]] == [None] * 5


def test_refused_files_can_be_hidden() -> None:
    assert versions_in(page(judged(a_listing(), "24", Refusals.HIDE))) == ["1", "3", "5"]


def test_what_vanished_is_shown_while_it_is_here() -> None:
    project = judged(a_listing("2", "3"))
    shown = page(project, still_here={a_wheel("3").sha256})
    assert yanked_in(shown) == {
        **dict.fromkeys("145", False),
        "3": "removed by the upstream; kept here for those who pin it",
    }
    assert shown["versions"] == ["1", "3", "4", "5"]


def test_what_a_quarantined_project_lost_is_not_called_removed() -> None:
    project = judged(a_listing("3", status=StatusMarker.QUARANTINED))
    assert yanked_in(page(project, still_here={a_wheel("3").sha256}))["3"] is False


@pytest.mark.parametrize("only_shown", [False, True])
def test_a_page_without_files_is_one_unless_something_has_to_be_shown(only_shown: bool) -> None:
    project = judged(a_listing(*"12345"))
    assert (page(project, only_shown=only_shown) is None) is only_shown


def test_one_line_tells_of_a_refusal_in_every_form() -> None:
    project = judged(a_listing(), "1")
    line = project.refusal_of(project.files[0])
    assert project.refusal_of(project.files[0]) is line
    # A file that is judged once more has a line of its own.
    again = structs.replace(project.files[0], evidence_digest="0" * 64)
    assert project.refusal_of(again) not in ("", line)


def test_a_file_that_is_refused_though_its_page_left_that_open_is_not_the_last_good_one() -> None:
    project, refused = judged(a_listing()), judged(a_listing(), "5").files[-1]
    assert project.last_good == "5"
    assert "; last good 4; ref D-" in project.refusal_of(refused)
    assert "; last good 4; ref D-" in project.refusal_of(refused, as_of=NOON + timedelta(hours=1))
    assert "; ref D-" in (line := project.refusal_of(refused, as_of=NOON - timedelta(hours=1)))
    assert "last good" not in line
