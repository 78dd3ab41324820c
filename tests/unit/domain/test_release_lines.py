"""What is remembered of attested files."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.evidence import UPLOADED, a_file
from tests.fakes.publishers import ACCOUNT, OWN

from pinfold.domain.release_lines import (
    BEGINNING,
    AttestedFile,
    FirstUse,
    LineHistory,
    ProvenanceHistory,
    history_of,
    line_of,
)

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("version", "line"),
    [("1", (0, 1, 0)), ("1.2.3rc4", (0, 1, 2)), ("3!4.5.6", (3, 4, 5)), ("nonsense", None), (None, None), ("", None)],
)
def test_a_version_has_a_line(version, line) -> None:
    assert line_of(version) == line


def test_lines_know_their_first_attested_file_and_each_publishers_first() -> None:
    early = AttestedFile(a_file(version="1.0.0"), (OWN,))
    late = AttestedFile(a_file(version="1.0.1", upload_time=UPLOADED + DAY), (ACCOUNT, OWN))
    asserted = AttestedFile(a_file(version="1.0.2", upload_time=UPLOADED - DAY))
    other = AttestedFile(a_file(version="2.0"))
    expected = ProvenanceHistory(
        (
            LineHistory(
                (0, 1, 0),
                UPLOADED - DAY,
                "1.0.2",
                (FirstUse(OWN, "1.0.0", UPLOADED), FirstUse(ACCOUNT, "1.0.1", UPLOADED + DAY)),
            ),
            LineHistory((0, 2, 0), UPLOADED, "2.0"),
        )
    )
    assert history_of([early, late, asserted, other]) == expected
    assert history_of([other, asserted, late, early]) == expected


def test_a_file_without_upload_time_counts_as_earliest_and_one_without_version_not_at_all() -> None:
    timeless = AttestedFile(a_file(upload_time=None, version="1.0"), (OWN,))
    (line,) = history_of([timeless, AttestedFile(a_file(version=None), (OWN,))]).lines
    assert line.attested_since == BEGINNING
    assert history_of([replace(timeless, file=a_file(version=None))]) == ProvenanceHistory()
