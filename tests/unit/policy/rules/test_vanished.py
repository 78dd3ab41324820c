from datetime import timedelta

import pytest
from pydantic import ValidationError
from tests.fakes.evidence import SEEN, UPLOADED, a_file, a_sighting, evidence_of

from pinfold.domain.decision import PASS, Outcome
from pinfold.domain.evidence import Evidence, Known, Unknown
from pinfold.policy.rules.vanished import Vanished

LONG_AFTER = UPLOADED + timedelta(days=4000)


def gone(after: timedelta, listed_for: timedelta | None = None, **file: object) -> Evidence:
    listed_until = None if listed_for is None else UPLOADED + listed_for
    sighting = a_sighting(vanished_at=UPLOADED + after, listed_until=listed_until)
    return evidence_of(a_file(**file), sighting=Known(sighting))


def test_listed_file_passes() -> None:
    assert Vanished().judge(evidence_of(), LONG_AFTER) is PASS


def test_young_file_that_went_is_refused_for_ever() -> None:
    finding = Vanished().judge(gone(timedelta(hours=2, minutes=19)), LONG_AFTER)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "the upstream took it away again 2 h after its upload"
    assert finding.changes_at is None


def test_old_file_that_its_author_deleted_passes() -> None:
    assert Vanished().judge(gone(timedelta(days=30)), LONG_AFTER) is PASS
    assert Vanished().judge(gone(timedelta(days=30) - timedelta(seconds=1)), LONG_AFTER).outcome is Outcome.FAIL


def test_late_discovery_does_not_make_a_file_older() -> None:
    """Malware that is seen once, and asked for again only when it is long gone, must not pass as an old file."""
    finding = Vanished().judge(gone(timedelta(days=200), listed_for=timedelta(hours=1)), LONG_AFTER)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "the upstream took it away again 1 h to 200 d after its upload"


def test_file_that_was_listed_for_long_enough_passes_however_late_it_is_missed() -> None:
    assert Vanished().judge(gone(timedelta(days=200), listed_for=timedelta(days=30)), LONG_AFTER) is PASS


def test_first_sighting_stands_in_for_a_missing_upload_time() -> None:
    finding = Vanished().judge(gone(timedelta(days=2), upload_time=None), LONG_AFTER)
    assert finding.reason == "the upstream took it away again 1 d after it was first seen"
    long_seen = a_sighting(vanished_at=SEEN + timedelta(days=30))
    assert Vanished().judge(evidence_of(a_file(upload_time=None), sighting=Known(long_seen)), LONG_AFTER) is PASS


def test_upload_time_after_the_disappearance_is_refused() -> None:
    assert Vanished().judge(gone(-timedelta(days=400)), LONG_AFTER).outcome is Outcome.FAIL


def test_without_a_sighting_nobody_can_tell() -> None:
    finding = Vanished().judge(evidence_of(sighting=Unknown("never seen")), LONG_AFTER)
    assert (finding.outcome, finding.reason) == (Outcome.UNKNOWN, "never seen")


def test_days_can_be_set() -> None:
    assert Vanished(days=1).judge(gone(timedelta(days=1)), LONG_AFTER) is PASS
    assert Vanished(days=90).judge(gone(timedelta(days=89)), LONG_AFTER).outcome is Outcome.FAIL
    with pytest.raises(ValidationError):
        Vanished(days=0)
