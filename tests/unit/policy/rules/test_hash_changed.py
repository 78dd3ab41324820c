from tests.fakes.evidence import OTHER_SHA256, UPLOADED, a_file, a_sighting, evidence_of

from pinfold.domain.decision import PASS, Effect, Outcome
from pinfold.domain.evidence import Known, Unknown
from pinfold.policy.rules.hash_changed import HashChanged


def test_same_bytes_pass() -> None:
    assert HashChanged().judge(evidence_of(), UPLOADED) is PASS


def test_other_bytes_fail_and_both_hashes_are_told() -> None:
    finding = HashChanged().judge(evidence_of(a_file(sha256=OTHER_SHA256)), UPLOADED)
    assert finding.outcome is Outcome.FAIL
    assert finding.reason == "first seen with sha256 d2a0d5f56462..., now has 164a3ef3e19f..."
    assert HashChanged.on_fail is Effect.DENY


def test_hashes_that_differ_in_their_last_digit_differ() -> None:
    sighting = Known(a_sighting(sha256=a_file().sha256[:-1] + "c"))
    assert HashChanged().judge(evidence_of(sighting=sighting), UPLOADED).outcome is Outcome.FAIL


def test_without_a_first_sighting_nobody_can_tell() -> None:
    finding = HashChanged().judge(evidence_of(sighting=Unknown("never seen")), UPLOADED)
    assert (finding.outcome, finding.reason) == (Outcome.UNKNOWN, "never seen")
