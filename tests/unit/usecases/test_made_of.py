"""What processes compare before one takes a page that another made: no two things that differ look the same."""

from copy import deepcopy
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from tests.fakes.clock import NOON
from tests.fakes.evidence import SNAPSHOT

from pinfold.domain.advisory import AdvisoryKind, Claim, ProjectClaims
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.inspection import Kind, Observation, Report
from pinfold.domain.listing import observe
from pinfold.domain.look_alikes import Likeness, Slip
from pinfold.domain.names import FileKind
from pinfold.domain.pins import ProjectPins
from pinfold.domain.project import File, Project
from pinfold.domain.provenance import Invalid, TrustRoot, Unattested
from pinfold.domain.records import QuarantineRecord, Records, Waiver
from pinfold.domain.target import parse_target
from pinfold.inspection import INSPECTOR
from pinfold.policy.document import parse_policy
from pinfold.ports.catalog import Stored
from pinfold.ports.provenance_store import Checked
from pinfold.ports.report_store import Inspected
from pinfold.ports.upstream import Validators
from pinfold.usecases.find_project import Found
from pinfold.usecases.indexes import Index, Refusals, Source
from pinfold.usecases.inspections import Contents
from pinfold.usecases.judgement import Basis, Grounds
from pinfold.usecases.made_of import made_of
from pinfold.usecases.provenances import Knowledge


class Upstream:
    def __init__(self, name="pypi"):
        self.name = name


WHEEL = File("demo-1.0-py3-none-any.whl", "https://files.example/demo", "1" * 64, FileKind.WHEEL, "1.0")
STORED = Stored(observe(None, Project("demo", (WHEEL,)), NOON), Validators(), NOON + timedelta(hours=1), b"digest")
SOURCE = Source(Upstream())
POLICY, OTHER_POLICY = (
    parse_policy(f'[[rule]]\nid = "minimum-age"\nparams = {{ days = {days} }}\n', "test.toml") for days in (3, 4)
)
INDEX = Index("main", (SOURCE,), POLICY)
FOUND = Found(SOURCE, STORED)
ROOT = Known(TrustRoot("5" * 64, NOON))
HELD = QuarantineRecord("Q1", parse_target("demo"), "found bad", None, "somebody", NOON)
WAIVER = Waiver("W1", parse_target("demo"), "minimum-age", "needed", "somebody", NOON, NOON + timedelta(days=1))


UNATTESTED = Known(Unattested())


def knowledge(result=UNATTESTED, *, attested=False):
    checked = Checked(WHEEL.filename, WHEEL.sha256, "2" * 64, "5" * 64, NOON, result)
    return Knowledge(ROOT, {} if attested else {("demo", "1"): checked}, {("demo", "1"): checked} if attested else {})


def contents(*observations):
    return Contents().adding(
        Inspected("1" * 64, NOON, Report(INSPECTOR, "demo", WHEEL.filename, 1, 1, 1, observations))
    )


def claims(*claims):
    return Known(ProjectClaims((SNAPSHOT,), claims))


GROUNDS = {
    "records": [Records(0), Records(1), Records(1, (HELD,)), Records(1, (), (WAIVER,))],
    "knowledge": [
        None,
        Knowledge(),
        Knowledge(ROOT),
        knowledge(),
        knowledge(Known(Invalid("no key"))),
        knowledge(Unknown("no key")),
        knowledge(attested=True),
    ],
    "contents": [None, Contents(), contents(), contents(Observation(Kind.PATH_ESCAPE, "leaves", "../demo"))],
    "about": [
        Unknown("no feed"),
        claims(),
        claims(Claim("GHSA-1", AdvisoryKind.VULNERABILITY)),
        claims(Claim("GHSA-1", AdvisoryKind.MALWARE)),
        claims(Claim("GHSA-1", AdvisoryKind.MALWARE, frozenset({"1.0"}))),
    ],
    "pins": [None, Unknown("no pins"), Known(ProjectPins("s")), Known(ProjectPins("t"))],
    "likenesses": [(), *((Likeness("demos", Slip.LETTERS, everyday=everyday),) for everyday in (True, False))],
}
EVERY_GROUNDS = [
    Grounds(**{"records": Records(0), name: value}) for name, values in GROUNDS.items() for value in values[1:]
]


NONE = Grounds(Records(0))


def basis(index=INDEX, name="demo", found=FOUND, grounds=NONE):
    return Basis(index, name, found, grounds)


DIFFERENT = [
    (basis(), {}, "json"),
    (basis(), {}, "html"),
    (basis(), {"1" * 64: "2" * 64}, "json"),
    (basis(), {"1" * 64: None}, "json"),
    (basis(name="demo2"), {}, "json"),
    (basis(replace(INDEX, name="other")), {}, "json"),
    (basis(replace(INDEX, policy=OTHER_POLICY)), {}, "json"),
    (basis(replace(INDEX, private=("demo",))), {}, "json"),
    (basis(replace(INDEX, refusals=Refusals.HIDE)), {}, "json"),
    (basis(replace(INDEX, pins="known")), {}, "json"),
    (basis(found=replace(FOUND, stored=replace(STORED, digest=b"another"))), {}, "json"),
    (basis(found=replace(FOUND, source=Source(Upstream("corp")))), {}, "json"),
    (basis(found=replace(FOUND, source=replace(SOURCE, private=True))), {}, "json"),
    *((basis(grounds=grounds), {}, "json") for grounds in EVERY_GROUNDS),
]


def test_no_two_pages_share_a_digest_that_may_differ():
    digests = [made_of(*different) for different in DIFFERENT]
    assert None not in digests
    assert len(set(digests)) == len(DIFFERENT)


def test_all_grounds_are_tried():
    assert GROUNDS.keys() == {field.name for field in fields(Grounds)}


@pytest.mark.parametrize("grounds", [NONE, *EVERY_GROUNDS])
def test_what_is_equal_elsewhere_has_the_same_digest(grounds):
    # Upstreams are each process's own.
    source = replace(SOURCE, upstream=Upstream())
    elsewhere = replace(INDEX, sources=(source,), policy=deepcopy(INDEX.policy))
    found = Found(source, replace(STORED, fresh_until=NOON), stale=True)
    assert made_of(basis(grounds=grounds), {}, "json") == made_of(
        basis(elsewhere, found=found, grounds=deepcopy(grounds)), {}, "json"
    )


def test_what_was_found_out_in_another_order_is_the_same():
    one, other = {"1": "2", "3": None}, {"3": None, "1": "2"}
    assert made_of(basis(), one, "json") == made_of(basis(), other, "json")


def test_of_what_is_not_kept_nobody_can_tell():
    assert made_of(basis(found=replace(FOUND, stored=replace(STORED, digest=None))), {}, "json") is None
