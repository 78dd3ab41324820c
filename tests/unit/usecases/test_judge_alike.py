"""What rules find once for all files of a project is what they find in each of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.clock import NOON
from tests.fakes.evidence import SNAPSHOT

from pinfold.domain.advisory import AdvisoryKind, Claim, ProjectClaims
from pinfold.domain.evidence import NO_FEED, Known, Unknown
from pinfold.domain.inspection import Report
from pinfold.domain.listing import observe
from pinfold.domain.look_alikes import Likeness, Slip
from pinfold.domain.names import FileKind
from pinfold.domain.pins import Pin, ProjectPins
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus
from pinfold.domain.provenance import PublisherKind, PublisherPin, TrustRoot
from pinfold.domain.records import PublisherDecision, PublisherRecord, QuarantineRecord, Records, Waiver
from pinfold.domain.target import parse_target
from pinfold.inspection import INSPECTOR
from pinfold.policy.document import parse_policy
from pinfold.policy.engine import decide
from pinfold.policy.rule import known_rules
from pinfold.ports.catalog import Stored
from pinfold.ports.report_store import Inspected
from pinfold.ports.upstream import Validators
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judge_project import judge
from pinfold.usecases.judged_project import EVERYTHING
from pinfold.usecases.judgement import Grounds
from pinfold.usecases.provenances import Knowledge

VERSIONS = ("1.0", "2.0", None)
MOMENTS = (None, *(NOON - timedelta(days=days) for days in (400, 40, 5, 1, 0, -1)), datetime.max.replace(tzinfo=UTC))
PARAMS = {"minimum-age": "days = 3", "file-type": 'allow = ["wheel"]', "provenance": 'require = "pinned"'}


class Nobody:
    name = "pypi"


def a_file(place: int, version: str | None, uploaded: datetime | None, provenance: str | bool) -> File:
    name, kind = f"demo-{version}-{place}.whl", (FileKind.WHEEL, FileKind.SDIST)[place % 2]
    return File(
        name, f"https://files.example/{name}", f"{place:064}", kind, version, 1, uploaded, provenance=provenance
    )


def quarantine(target: str) -> QuarantineRecord:
    return QuarantineRecord("Q-1", parse_target(target), "held", None, "alice", NOON)


def waiver(rule: str) -> Waiver:
    return Waiver("W-1", parse_target("demo==1.0"), rule, "fine", "alice", NOON - timedelta(1), NOON + timedelta(1))


def report(file: File) -> Inspected:
    return Inspected(file.sha256, NOON, Report(INSPECTOR, "demo", file.filename, 1, 1, 1))


def contents_of(files: list[File]) -> Contents:
    contents = Contents()
    for file in files:
        contents = contents.adding(report(file))
    return contents


PIN = PublisherPin(PublisherKind.GITHUB, "demo/demo")
targets = st.sampled_from(["demo", "demo==1.0", f"sha256:{1:064}"])
files = st.lists(
    st.tuples(
        st.sampled_from(VERSIONS), st.sampled_from(MOMENTS), st.sampled_from([True, False, "https://p.example/"])
    ),
    min_size=2,
    max_size=6,
).map(lambda drawn: [a_file(place, *each) for place, each in enumerate(drawn)])
records = st.builds(
    Records,
    st.just(0),
    st.lists(st.builds(quarantine, targets), max_size=1).map(tuple),
    st.lists(st.builds(waiver, st.sampled_from(sorted(known_rules()))), max_size=2).map(tuple),
    st.sampled_from([(), (PublisherRecord("P-1", "demo", PublisherDecision.PIN, PIN, "ours", "alice", NOON),)]),
)
BY_VERSION, BY_HASH = {"versions": frozenset({"1.0"})}, {"hashes": frozenset({f"{1:064}"})}
claims = st.sampled_from([(), (BY_VERSION,), (BY_HASH,), (BY_VERSION, BY_HASH)]).map(
    lambda named: Known(
        ProjectClaims((SNAPSHOT,), tuple(Claim(f"{kind}-1", kind, **each) for kind in AdvisoryKind for each in named))
    )
)
pins = st.sampled_from(
    [None, Unknown("no such set"), Known(ProjectPins("ours", (Pin("demo", "1.0", f"{0:064}"),)))],
)
worlds = st.fixed_dictionaries(
    {
        "is_private": st.booleans(),
        "reserved": st.sampled_from([(), ("demo",)]),
        "status": st.sampled_from(StatusMarker),
        "gone": st.sampled_from([0, 0, 1]),
        "swapped": st.booleans(),
        "records": records,
        "knowledge": st.sampled_from([Knowledge(), Knowledge(Known(TrustRoot("5" * 64, NOON)))]),
        "inspected": st.integers(0, 2),
        "about": st.just(NO_FEED) | claims,
        "pins": pins,
        "likenesses": st.sampled_from([(), (Likeness("demos", Slip.LETTERS, everyday=True),)]),
    }
)


@pytest.mark.parametrize("rule", sorted(known_rules()))
@given(files, worlds)
def test_each_file_is_judged_in_a_project_as_it_is_alone(rule: str, files: list[File], world: dict[str, Any]) -> None:
    policy = parse_policy(f'[[rule]]\nid = "{rule}"\nparams = {{ {PARAMS.get(rule, "")} }}\n', "test.toml")
    before = [
        File(one.filename, one.url, "f" * 64, one.kind, one.version) if world["swapped"] else one for one in files
    ]
    first = observe(None, Project("demo", tuple(before)), NOON - timedelta(days=20))
    project = Project("demo", tuple(files[world["gone"] :]), status=UpstreamStatus(world["status"]))
    source = Source(Nobody(), private=world["is_private"])  # type: ignore[arg-type]
    found = Found(source, Stored(observe(first, project, NOON), Validators(), NOON + timedelta(days=1)))
    index = Index("main", (source,), policy, private=world["reserved"])
    contents = contents_of(files[: world["inspected"]])
    grounds = Grounds(
        world["records"], world["knowledge"], contents, world["about"], world["pins"], world["likenesses"]
    )
    judged = judge(index, "demo", found, grounds, NOON)
    rules = policy.for_project("demo")
    for each in judged.files:
        waivers = grounds.records.waivers_of("demo", each.file)
        assert each.decision == decide(rules, each.evidence, waivers, NOON, awaited=EVERYTHING)
