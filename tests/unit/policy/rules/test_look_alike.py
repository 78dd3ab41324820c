from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.evidence import UPLOADED, evidence_of

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.decision import PASS, Finding, Outcome
from pinfold.domain.evidence import Known, Unknown
from pinfold.domain.look_alikes import Likeness, NameIndex, Resemblance, Slip
from pinfold.policy.rules.look_alike import LookAlike

LITELM = Likeness("litelm", Slip.LETTERS, everyday=True)
FILES = PolicyFiles()
OURS = Likeness("litellm-", Slip.SEPARATORS, everyday=False)


def seen(*, releases: int = 10, age: timedelta | None = timedelta(days=10), likeness: Likeness = LITELM) -> Resemblance:
    return Resemblance((likeness,), None if age is None else UPLOADED - age, releases)


def finding(resemblance: Resemblance | None, at: datetime = UPLOADED, **params: float) -> Finding:
    return LookAlike(**params).judge(evidence_of(resemblance=Known(resemblance)), at)


ESTABLISHED = [
    ("scanpy", "scapy", datetime(2017, 7, 24, tzinfo=UTC), 97),
    ("djongo", "django", datetime(2017, 8, 15, tzinfo=UTC), 47),
    ("dotenv", "python-dotenv", datetime(2013, 1, 23, tzinfo=UTC), 5),
    ("docx", "python-docx", datetime(2012, 1, 12, tzinfo=UTC), 6),
    ("elasticsearch6", "elasticsearch", datetime(2019, 5, 9, tzinfo=UTC), 5),
    ("beautifulsoup", "beautifulsoup4", datetime(2010, 11, 21, tzinfo=UTC), 13),
]
"""Honest projects beside everyday ones, with what their pages on PyPI said of them in November 2026."""


@pytest.mark.parametrize(("name", "near", "first_upload", "releases"), ESTABLISHED)
@pytest.mark.parametrize("policy", ["baseline", "strict"])
def test_honest_neighbours_of_everyday_projects_are_no_false_alarm(
    name: str, near: str, first_upload: datetime, releases: int, policy: str
) -> None:
    assert near in NameIndex(FILES.everyday_names()).near(name)
    (rule,) = (entry.rule for entry in FILES.load(policy).rules if entry.rule.id == "look-alike")
    resemblance = Resemblance((Likeness(near, Slip.LETTERS, everyday=True),), first_upload, releases)
    assert rule.judge(evidence_of(resemblance=Known(resemblance)), UPLOADED) is PASS


def test_a_name_that_is_known_or_resembles_none_passes() -> None:
    assert finding(None) is PASS


def test_an_established_neighbour_passes() -> None:
    assert finding(seen(age=timedelta(days=90), releases=3)) is PASS


def test_a_young_one_is_refused_until_it_is_old() -> None:
    found = finding(seen(age=timedelta(days=10)))
    assert found.outcome is Outcome.FAIL
    likeness = "it is one letter away from litelm, which is in everyday use, and began 10 d ago"
    assert found.reason == f"nobody used litellm here before; {likeness}"
    assert found.changes_at == UPLOADED + timedelta(days=80)
    assert finding(seen(age=timedelta(days=10)), found.changes_at) is PASS


def test_a_hardly_released_one_is_refused_whatever_its_age() -> None:
    found = finding(seen(age=timedelta(days=3000), releases=1))
    assert (found.outcome, found.changes_at) == (Outcome.FAIL, None)
    assert found.reason.endswith("and has 1 release only")
    assert finding(seen(age=timedelta(days=3000), releases=2)).reason.endswith("and has 2 releases only")


def test_the_reason_tells_names_in_use_here_from_everyday_ones() -> None:
    assert "separated otherwise than litellm-, which is in use here" in finding(seen(likeness=OURS)).reason


def test_without_upload_times_the_age_is_unknown_and_the_releases_still_count() -> None:
    assert finding(seen(age=None)).outcome is Outcome.UNKNOWN
    assert finding(seen(age=None, releases=1)).outcome is Outcome.FAIL


def test_a_future_upload_is_not_old() -> None:
    assert "claims to begin in the future" in finding(seen(age=timedelta(days=-5))).reason
    far = Resemblance((LITELM,), datetime.max.replace(tzinfo=UPLOADED.tzinfo), 10)
    assert finding(far).changes_at is None


@pytest.mark.parametrize(
    ("params", "outcome"),
    [({"young_days": 5}, Outcome.PASS), ({"young_days": 20}, Outcome.FAIL), ({"few_releases": 11}, Outcome.FAIL)],
)
def test_what_counts_as_established_can_be_told(params: dict[str, float], outcome: Outcome) -> None:
    assert finding(seen(), **({"young_days": 5} | params)).outcome is outcome


def test_names_that_were_not_compared_are_unknown() -> None:
    assert LookAlike().judge(evidence_of(resemblance=Unknown("not compared")), UPLOADED).outcome is Outcome.UNKNOWN
