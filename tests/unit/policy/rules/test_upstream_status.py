from datetime import timedelta

import pytest
from tests.fakes.evidence import SEEN, UPLOADED, a_file, a_sighting, a_status, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import Evidence, Known, Unknown
from pinfold.domain.project import StatusMarker
from pinfold.policy.rules.upstream_status import UpstreamStatus

AT = UPLOADED + timedelta(days=4000)


def quarantined(after: timedelta, **changes: object) -> Evidence:
    """Evidence of a file whose project was quarantined some time after the file's upload."""
    return evidence_of(upstream_status=a_status(StatusMarker.QUARANTINED, UPLOADED + after), **changes)


def test_active_project_passes() -> None:
    assert UpstreamStatus().judge(evidence_of(), AT) is PASS


@pytest.mark.parametrize("marker", [StatusMarker.ARCHIVED, StatusMarker.DEPRECATED])
def test_archived_and_deprecated_projects_warn_and_no_more(marker: StatusMarker) -> None:
    evidence = evidence_of(upstream_status=a_status(marker, UPLOADED))
    finding = UpstreamStatus().judge(evidence, AT)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == f"the upstream marks the project as {marker.value}"
    assert finding.at_most is Effect.WARN
    assert UpstreamStatus.model_validate({marker.value: "pass"}).judge(evidence, AT) is PASS


def test_silencing_one_marker_leaves_the_other() -> None:
    deprecated = evidence_of(upstream_status=a_status(StatusMarker.DEPRECATED, UPLOADED))
    assert UpstreamStatus(archived="pass").judge(deprecated, AT).outcome is Outcome.FAIL


def test_quarantined_project_is_refused() -> None:
    finding = UpstreamStatus().judge(quarantined(after=timedelta(days=1)), AT)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "the upstream holds the project in quarantine"
    assert finding.at_most is Effect.DENY


def test_file_that_was_vetted_long_before_is_served_with_a_warning() -> None:
    finding = UpstreamStatus().judge(quarantined(after=timedelta(days=30)), AT)
    assert finding.at_most is Effect.WARN
    assert finding.reason == "the upstream holds the project in quarantine; this file was public for 30 d before"
    almost = quarantined(after=timedelta(days=30) - timedelta(seconds=1))
    assert UpstreamStatus().judge(almost, AT).at_most is Effect.DENY


def test_time_spent_in_quarantine_vets_nothing() -> None:
    evidence = quarantined(after=timedelta(days=1))
    assert UpstreamStatus().judge(evidence, UPLOADED + timedelta(days=3000)).at_most is Effect.DENY


def test_file_that_was_never_seen_before_the_quarantine_was_never_vetted() -> None:
    since = UPLOADED + timedelta(days=300)
    late = quarantined(after=timedelta(days=300), sighting=Known(a_sighting(first_seen=since)))
    assert UpstreamStatus().judge(late, AT).at_most is Effect.DENY
    unseen = quarantined(after=timedelta(days=300), sighting=Unknown("never seen"))
    assert UpstreamStatus().judge(unseen, AT).at_most is Effect.DENY


def test_first_sighting_counts_where_there_is_no_upload_time_or_a_later_one() -> None:
    since = SEEN + timedelta(days=30)
    for uploaded in (None, since):
        evidence = evidence_of(a_file(upload_time=uploaded), upstream_status=a_status(StatusMarker.QUARANTINED, since))
        assert UpstreamStatus().judge(evidence, AT).at_most is Effect.WARN


def test_quarantine_without_a_beginning_is_refused() -> None:
    evidence = evidence_of(upstream_status=a_status(StatusMarker.QUARANTINED))
    assert UpstreamStatus().judge(evidence, AT).at_most is Effect.DENY


def test_vetting_takes_as_long_as_the_policy_says() -> None:
    assert UpstreamStatus(vetted_days=365).judge(quarantined(after=timedelta(days=364)), AT).at_most is Effect.DENY
    assert UpstreamStatus(vetted_days=1).judge(quarantined(after=timedelta(days=1)), AT).at_most is Effect.WARN


def test_status_that_the_specification_does_not_define_is_unknown() -> None:
    evidence = evidence_of(upstream_status=a_status(StatusMarker.UNRECOGNISED))
    assert UpstreamStatus().judge(evidence, AT).outcome is Outcome.UNKNOWN


def test_unknown_status_is_unknown() -> None:
    finding = UpstreamStatus().judge(evidence_of(upstream_status=Unknown("the page is stale")), AT)
    assert (finding.outcome, finding.reason) == (Outcome.UNKNOWN, "the page is stale")
