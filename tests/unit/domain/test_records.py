from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.evidence import SHA256, UPLOADED, a_file

from pinfold.domain.records import QuarantineRecord, Records, Waiver
from pinfold.domain.target import parse_target

HOUR = timedelta(hours=1)


def a_record(target: str, record_id: str = "Q-1") -> QuarantineRecord:
    return QuarantineRecord(record_id, parse_target(target), "compromised", None, "alice", UPLOADED)


def a_waiver(target: str) -> Waiver:
    return Waiver("W-1", parse_target(target), "minimum-age", "reviewed", "alice", UPLOADED, UPLOADED + HOUR)


class TestWaiver:
    def test_it_stands_from_its_making_until_its_expiry(self) -> None:
        waiver = a_waiver("litellm")
        moments = [-HOUR, timedelta(0), HOUR - timedelta(microseconds=1), HOUR]
        assert [waiver.stands_at(UPLOADED + moment) for moment in moments] == [False, True, True, False]

    def test_revoked_waiver_never_stands(self) -> None:
        revoked = replace(a_waiver("litellm"), revoked_at=UPLOADED + HOUR / 2, revoked_by="bob")
        assert not revoked.stands_at(UPLOADED)


class TestRecords:
    def test_records_of_a_file_are_those_whose_target_covers_it_in_their_order(self) -> None:
        held = tuple(
            a_record(target, f"Q-{number}")
            for number, target in enumerate(
                ["litellm", "litellm==1.82.8", "litellm==1.82.7", "other", f"sha256:{SHA256}", a_file().filename]
            )
        )
        records = Records(1, quarantine=held)
        covering = [record.id for record in records.covering("litellm", a_file())]
        assert covering == ["Q-0", "Q-1", "Q-4", "Q-5"]
        assert [record.id for record in records.covering("fastapi", a_file(filename="x", sha256="0" * 64))] == []

    @pytest.mark.parametrize(
        ("target", "concerns"),
        [
            ("litellm", True),
            ("litellm==1", True),
            (f"sha256:{SHA256}", True),
            ("other", False),
            ("other==1", False),
            ("litellm-1.82.8.tar.gz", True),
            ("other-1.0.tar.gz", True),
        ],
    )
    def test_records_that_cannot_concern_a_project_are_left_out(self, target: str, concerns: bool) -> None:
        records = Records(1, (a_record(target),), (a_waiver(target),)).for_project("litellm")
        assert bool(records.quarantine) is concerns
        assert bool(records.waivers) is concerns
        assert records.revision == 1

    def test_file_is_held_by_its_name_whatever_project_the_name_suggests(self) -> None:
        """foo-1.0-1.tar.gz looks like version 1 of foo-1-0, and is version 1.0.post1 of foo."""
        records = Records(1, (a_record("foo-1.0-1.tar.gz"),)).for_project("foo")
        assert records.covering("foo", a_file(filename="foo-1.0-1.tar.gz", version="1.0.post1"))

    def test_file_without_a_version_is_held_with_a_release_but_not_let_go_with_it(self) -> None:
        nightly = a_file(filename="litellm-nightly.tar.gz", version=None)
        records = Records(1, (a_record("litellm==1.82.8"),), (a_waiver("litellm==1.82.8"),))
        assert records.covering("litellm", nightly)
        assert not records.waivers_of("litellm", nightly)
        assert records.waivers_of("litellm", a_file())

    @pytest.mark.parametrize("target", ["litellm", f"sha256:{SHA256}"])
    def test_file_without_a_version_is_let_go_by_what_names_it(self, target: str) -> None:
        nightly = a_file(filename="litellm-nightly.tar.gz", version=None)
        assert Records(1, (), (a_waiver(target),)).waivers_of("litellm", nightly)
