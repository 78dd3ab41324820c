import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.advisories.severity import base_score, rate
from pinfold.domain.advisory import Severity

V2 = ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P")
V3 = ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
V3_LOW = ("CVSS_V3", "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N")
V4 = ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:N")
NONE = ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N")
BROKEN = ("CVSS_V3", "CVSS:3.1/AV:X")


@pytest.mark.parametrize(
    ("vectors", "word", "expected"),
    [
        ([V2], None, (Severity.HIGH, 7.5)),
        ([V3], None, (Severity.CRITICAL, 9.8)),
        ([V3_LOW], None, (Severity.LOW, 1.8)),
        ([V4], None, (Severity.CRITICAL, 9.9)),
        ([NONE], None, (Severity.NONE, 0.0)),
        ([V3_LOW, V4, V2], "LOW", (Severity.CRITICAL, 9.9)),
        ([BROKEN, V2], None, (Severity.HIGH, 7.5)),
        ([BROKEN], "MODERATE", (Severity.MEDIUM, None)),
        ([], "CRITICAL", (Severity.CRITICAL, None)),
        ([], "whatever", (None, None)),
        ([], 7, (None, None)),
        ([("Ubuntu", "high")], None, (None, None)),
        ([("CVSS_V2", V3[1])], None, (None, None)),
        ([("CVSS_V3", V3[1] + "/" * 600)], None, (None, None)),
    ],
)
def test_highest_base_score_counts_and_a_word_only_without_one(vectors, word, expected) -> None:
    assert rate(vectors, word) == expected


@given(st.sampled_from(["CVSS_V2", "CVSS_V3", "CVSS_V4"]), st.text(max_size=100))
def test_no_vector_can_break_the_reading(kind: str, vector: str) -> None:
    score = base_score(kind, vector)
    assert score is None or 0 <= score <= 10
