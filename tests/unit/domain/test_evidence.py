import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from tests.fakes.evidence import OTHER_SHA256, SEEN, UPLOADED, a_file, a_sighting, a_status, evidence_of

from pinfold.domain.evidence import Evidence, Known, Origin, Unknown, plain
from pinfold.domain.project import StatusMarker
from pinfold.domain.records import QuarantineRecord
from pinfold.domain.target import parse_target

RECORD = QuarantineRecord("Q-1", parse_target("litellm==1.82.8"), "compromised", None, "alice", UPLOADED)


class TestDigest:
    def test_equal_evidence_has_one_digest(self) -> None:
        assert evidence_of().digest() == evidence_of().digest()
        assert len(evidence_of().digest()) == 64

    def test_time_zone_of_a_moment_does_not_count(self) -> None:
        elsewhere = UPLOADED.astimezone(timezone(timedelta(hours=5, minutes=45)))
        assert evidence_of(a_file(upload_time=elsewhere)).digest() == evidence_of().digest()

    @pytest.mark.parametrize(
        "other",
        [
            evidence_of(project="lite-llm"),
            evidence_of(a_file(sha256=OTHER_SHA256)),
            evidence_of(a_file(upload_time=None)),
            evidence_of(a_file(upload_time=UPLOADED + timedelta(microseconds=1))),
            evidence_of(a_file(yanked="")),
            evidence_of(origin=Origin("mirror")),
            evidence_of(origin=Origin("pypi", private=True)),
            evidence_of(private_name=True),
            evidence_of(sighting=Unknown("never seen")),
            evidence_of(sighting=Known(a_sighting(vanished_at=SEEN))),
            evidence_of(upstream_status=a_status(StatusMarker.ARCHIVED)),
            evidence_of(upstream_status=Unknown("silent")),
            evidence_of(records=(RECORD,)),
            evidence_of(records=(replace(RECORD, target=parse_target("litellm")),)),
        ],
    )
    def test_everything_that_rules_may_look_at_counts(self, other: Evidence) -> None:
        assert other.digest() != evidence_of().digest()

    def test_unknown_is_told_from_a_known_text(self) -> None:
        one, other = evidence_of(sighting=Unknown("x")), evidence_of(sighting=Known("x"))
        assert one.digest() != other.digest()


def test_plain_data_is_json_that_people_can_read() -> None:
    data = plain(evidence_of(records=(RECORD,), sighting=Unknown("never seen")))
    assert isinstance(data, dict)
    assert json.loads(json.dumps(data)) == data
    assert data["file"]["upload_time"] == "2026-03-24T10:52:00+00:00"
    assert data["file"]["kind"] == "wheel"
    assert data["sighting"] == {"unknown": "never seen"}
    assert data["upstream_status"] == {"known": {"status": {"marker": "active", "reason": None}, "since": None}}
    assert data["records"][0]["target"] == "litellm==1.82.8"
    assert data["records"][0]["state"] == "held"
