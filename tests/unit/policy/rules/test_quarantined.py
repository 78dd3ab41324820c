from datetime import timedelta

from tests.fakes.evidence import UPLOADED, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.records import QuarantineRecord, RecordState
from pinfold.domain.target import ProjectTarget
from pinfold.policy.rules.quarantined import Quarantined


def a_record(number: int, state: RecordState = RecordState.HELD, reference: str | None = None) -> QuarantineRecord:
    created_at = UPLOADED + timedelta(hours=number)
    return QuarantineRecord(
        f"Q-{number}", ProjectTarget("litellm"), f"reason {number}", reference, "alice", created_at, state
    )


def test_file_without_records_passes() -> None:
    assert Quarantined().judge(evidence_of(), UPLOADED) is PASS


def test_held_record_quarantines_and_says_where_to_read_on() -> None:
    finding = Quarantined().judge(evidence_of(records=(a_record(1, reference="MAL-2026-2144"),)), UPLOADED)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "reason 1 (MAL-2026-2144), record Q-1"
    assert finding.at_most is Effect.QUARANTINE


def test_rejected_record_denies_and_is_graver_than_older_held_ones() -> None:
    records = (a_record(1), a_record(2, RecordState.REJECTED), a_record(3, RecordState.REJECTED))
    finding = Quarantined().judge(evidence_of(records=records), UPLOADED)
    assert finding.reason == "reason 2, record Q-2"
    assert finding.at_most is Effect.DENY


def test_oldest_of_equal_records_is_told() -> None:
    assert Quarantined().judge(evidence_of(records=(a_record(1), a_record(2))), UPLOADED).reason.startswith("reason 1")


def test_released_record_holds_nothing() -> None:
    assert Quarantined().judge(evidence_of(records=(a_record(1, RecordState.RELEASED),)), UPLOADED) is PASS


def test_released_record_does_not_hide_a_held_one() -> None:
    records = (a_record(1, RecordState.RELEASED), a_record(2))
    assert Quarantined().judge(evidence_of(records=records), UPLOADED).reason.startswith("reason 2")


def test_every_policy_has_the_rule() -> None:
    assert Quarantined.implied
