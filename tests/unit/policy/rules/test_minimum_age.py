from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.fakes.evidence import SEEN, SNAPSHOT, UPLOADED, a_file, a_sighting, evidence_of

from pinfold.domain.advisory import Advisories, Fix, Severity
from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import NO_FEED, Known, Origin, Unknown
from pinfold.policy.rules.minimum_age import MinimumAge

THREE_DAYS = timedelta(days=3)


def test_young_file_fails_until_it_is_old_enough() -> None:
    rule = MinimumAge(days=3)
    finding = rule.judge(evidence_of(), UPLOADED + timedelta(hours=3))
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "uploaded 3 h ago, needs 3 d"
    assert finding.changes_at == UPLOADED + THREE_DAYS


def test_age_is_reached_to_the_microsecond() -> None:
    rule = MinimumAge(days=3)
    last = UPLOADED + THREE_DAYS - timedelta(microseconds=1)
    assert rule.judge(evidence_of(), last).outcome is Outcome.FAIL
    assert rule.judge(evidence_of(), UPLOADED + THREE_DAYS) is PASS


def test_days_and_hours_add_up_and_are_told_without_rounding() -> None:
    rule = MinimumAge(days=1, hours=12)
    finding = rule.judge(evidence_of(), UPLOADED + timedelta(hours=30))
    assert finding.reason == "uploaded 1 d ago, needs 36 h"
    assert rule.judge(evidence_of(), UPLOADED + timedelta(hours=36)) is PASS


@given(days=st.floats(min_value=0.001, max_value=3650))
def test_fractions_of_days_change_exactly_when_the_finding_says(days: float) -> None:
    rule = MinimumAge(days=days)
    changes_at = rule.judge(evidence_of(), UPLOADED).changes_at
    assert changes_at is not None
    assert rule.judge(evidence_of(), changes_at - timedelta(microseconds=1)).outcome is Outcome.FAIL
    assert rule.judge(evidence_of(), changes_at) is PASS


def test_upload_in_the_future_is_no_age() -> None:
    finding = MinimumAge(hours=1).judge(evidence_of(), UPLOADED - timedelta(days=2))
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "uploaded 2 d in the future, needs 1 h"
    assert finding.changes_at == UPLOADED + timedelta(hours=1)


def test_upload_at_the_end_of_time_is_refused_without_an_error() -> None:
    at_the_end = evidence_of(a_file(upload_time=datetime.max.replace(tzinfo=UTC)))
    finding = MinimumAge(days=3).judge(at_the_end, UPLOADED)
    assert finding.outcome is Outcome.FAIL
    assert finding.changes_at is None


def test_time_zones_do_not_make_a_file_older() -> None:
    in_kiribati = UPLOADED.astimezone(timezone(timedelta(hours=14)))
    on_baker_island = (UPLOADED + THREE_DAYS).astimezone(timezone(-timedelta(hours=12)))
    evidence = evidence_of(a_file(upload_time=in_kiribati))
    assert MinimumAge(days=3).judge(evidence, on_baker_island - timedelta(seconds=1)).outcome is Outcome.FAIL
    assert MinimumAge(days=3).judge(evidence, on_baker_island) is PASS


def test_missing_upload_time_is_unknown() -> None:
    finding = MinimumAge(days=3).judge(evidence_of(a_file(upload_time=None)), UPLOADED)
    assert (finding.outcome, finding.reason) == (Outcome.UNKNOWN, "the upstream states no upload time")


def test_first_sighting_counts_where_the_policy_says_so() -> None:
    rule = MinimumAge(days=3, clock="first-seen")
    old_by_its_own_word = evidence_of(a_file(upload_time=datetime(2001, 1, 1, tzinfo=UTC)))
    finding = rule.judge(old_by_its_own_word, SEEN + timedelta(hours=3))
    assert (finding.outcome, finding.reason) == (Outcome.FAIL, "first seen 3 h ago, needs 3 d")
    assert rule.judge(old_by_its_own_word, SEEN + THREE_DAYS) is PASS


def test_missing_first_sighting_is_unknown() -> None:
    finding = MinimumAge(days=3, clock="first-seen").judge(evidence_of(sighting=Unknown("never seen")), UPLOADED)
    assert (finding.outcome, finding.reason) == (Outcome.UNKNOWN, "never seen")


def test_upload_time_needs_no_sighting() -> None:
    assert MinimumAge(days=3).judge(evidence_of(sighting=Unknown("never seen")), UPLOADED + THREE_DAYS) is PASS


def test_file_that_joins_an_old_release_is_as_young_as_itself() -> None:
    late_wheel = a_file(upload_time=UPLOADED + timedelta(days=1000))
    at = UPLOADED + timedelta(days=1001)
    sighted = evidence_of(late_wheel, sighting=Known(a_sighting(first_seen=UPLOADED)))
    assert MinimumAge(days=3).judge(sighted, at).outcome is Outcome.FAIL


@pytest.mark.parametrize("overrides", [{"lite*": 7, "litellm": 1}, {"litellm": 1, "lite*": 7}])
def test_longest_matching_override_counts_in_any_order(overrides: dict[str, float]) -> None:
    rule = MinimumAge(days=3, overrides=overrides)
    assert rule.judge(evidence_of(), UPLOADED).reason == "uploaded 0 s ago, needs 7 d"


def test_override_may_shorten_the_age_and_leaves_other_projects_alone() -> None:
    rule = MinimumAge(days=3, overrides={"Lite_LLM*": 30, "litellm": 1})
    assert rule.judge(evidence_of(), UPLOADED).reason.endswith("needs 1 d")
    assert rule.judge(evidence_of(project="fastapi"), UPLOADED).reason.endswith("needs 3 d")
    assert rule.judge(evidence_of(project="lite-llm-x"), UPLOADED).reason.endswith("needs 30 d")


def test_own_upstreams_need_no_age_unless_the_policy_says_so() -> None:
    ours = evidence_of(a_file(upload_time=None), origin=Origin("ours", private=True))
    assert MinimumAge(days=3).judge(ours, UPLOADED) is PASS
    assert MinimumAge(days=3, private_origins="judge").judge(ours, UPLOADED).outcome is Outcome.UNKNOWN


class TestFixes:
    FIX = Fix("PYSEC-2026-7", "1.82.6", Severity.HIGH)

    def test_fix_of_the_release_that_it_replaces_is_served_with_a_warning_where_the_policy_says_so(self) -> None:
        fixing = evidence_of(advisories=Known(Advisories((SNAPSHOT,), fixes=(self.FIX,))))
        finding = MinimumAge(days=3, fixes="serve").judge(fixing, UPLOADED + timedelta(hours=3))
        assert (finding.outcome, finding.at_most) == (Outcome.FAIL, Effect.WARN)
        assert finding.reason == "uploaded 3 h ago, needs 3 d, but fixes PYSEC-2026-7 of 1.82.6"
        assert finding.changes_at == UPLOADED + THREE_DAYS
        assert MinimumAge(days=3).judge(fixing, UPLOADED).at_most is Effect.DENY

    def test_whatever_fixes_nothing_waits(self) -> None:
        rule = MinimumAge(days=3, fixes="serve")
        assert rule.judge(evidence_of(), UPLOADED).at_most is Effect.DENY
        assert rule.judge(evidence_of(advisories=NO_FEED), UPLOADED).at_most is Effect.DENY

    def test_missing_upload_time_stays_unknown(self) -> None:
        fixing = evidence_of(a_file(upload_time=None), advisories=Known(Advisories((SNAPSHOT,), fixes=(self.FIX,))))
        assert MinimumAge(days=3, fixes="serve").judge(fixing, UPLOADED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"days": 3, "fixes": "pass"},
        {"days": 0},
        {"overrides": {"x": 3}},
        {"days": -1},
        {"days": "3"},
        {"days": True},
        {"days": float("nan")},
        {"days": float("inf")},
        {"days": 3651},
        {"days": 3, "clock": "sundial"},
        {"days": 3, "overrides": {"x": 0}},
        {"days": 3, "overrides": {"x$": 1}},
    ],
)
def test_params_that_mean_nothing_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MinimumAge.model_validate(params)
