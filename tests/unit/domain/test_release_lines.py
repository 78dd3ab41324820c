"""What is remembered of attested files."""

from datetime import timedelta

import pytest
from tests.fakes.evidence import UPLOADED, a_file
from tests.fakes.publishers import ACCOUNT, OWN

from pinfold.domain.release_lines import (
    BEGINNING,
    AttestedFile,
    FirstUse,
    LineHistory,
    ProjectHistory,
    ProvenanceHistory,
    lines_of,
)

DAY = timedelta(days=1)
EARLY = AttestedFile(a_file(version="1.0.0"), (OWN,))
LATE = AttestedFile(a_file(version="1.0.1", upload_time=UPLOADED + DAY), (ACCOUNT, OWN))
ASSERTED = AttestedFile(a_file(version="1.1", upload_time=UPLOADED - DAY))
OTHER = AttestedFile(a_file(version="2.0", upload_time=UPLOADED - 2 * DAY))
USES = (FirstUse(OWN, "1.0.0", UPLOADED), FirstUse(ACCOUNT, "1.0.1", UPLOADED + DAY))


@pytest.mark.parametrize(
    ("version", "lines"),
    [
        ("1", ("1.0", "1", "")),
        ("1.2.3rc4", ("1.2", "1", "")),
        ("3!4.5.6", ("3!4.5", "3!4", "")),
        ("2026.1", ("2026.1", "2026", "")),
        ("nonsense", None),
        (None, None),
        ("", None),
    ],
)
def test_a_version_has_lines(version, lines) -> None:
    assert lines_of(version) == lines


@pytest.mark.parametrize("files", [(EARLY, LATE, ASSERTED, OTHER), (OTHER, ASSERTED, LATE, EARLY)])
def test_lines_know_their_first_attested_file_and_each_publishers_first(files) -> None:
    history = ProjectHistory(files)
    assert history.of("1.0.9") == ProvenanceHistory(
        minor=LineHistory("1.0", UPLOADED, "1.0.0", USES),
        major=LineHistory("1", UPLOADED - DAY, "1.1", USES),
        project=LineHistory("", UPLOADED - 2 * DAY, "2.0", USES),
    )
    assert history.of("1.7").minor is None
    assert history.of("3.0") == ProvenanceHistory(project=history.of("1.0").project)
    assert [line.line for line in history.majors()] == ["2", "1"]


def test_files_of_a_line_share_one_history_and_one_without_a_version_could_belong_to_any() -> None:
    history = ProjectHistory([EARLY, OTHER])
    assert history.of("1.0.5") is history.of("1.0.6rc1")
    whole = history.of("1.0").project
    assert history.of(None) == ProvenanceHistory(whole, whole, whole)


def test_where_nothing_was_attested_there_is_no_history() -> None:
    assert ProjectHistory([]).of("1.0") == ProvenanceHistory()
    assert ProjectHistory([AttestedFile(a_file(version=None), (OWN,))]).of(None) == ProvenanceHistory()


def test_a_file_without_upload_time_counts_as_earliest() -> None:
    history = ProjectHistory([EARLY, AttestedFile(a_file(upload_time=None, version="1.0.3"), (OWN,))])
    line = history.of("1.0").minor
    assert line == LineHistory("1.0", BEGINNING, "1.0.3", (FirstUse(OWN, "1.0.3", BEGINNING),))
