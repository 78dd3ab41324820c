"""Names one slip apart, and those that only seem to be."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.adapters.filesystem.policy_files import PolicyFiles
from pinfold.domain.look_alikes import NameIndex, Slip
from pinfold.domain.names import normalise

EVERYDAY = PolicyFiles().everyday_names()
INDEX = NameIndex(EVERYDAY)


@pytest.mark.parametrize(
    ("name", "known", "slip"),
    [
        ("reqeusts", "requests", Slip.LETTERS),
        ("requestss", "requests", Slip.LETTERS),
        ("rrequests", "requests", Slip.LETTERS),
        ("request", "requests", Slip.LETTERS),
        ("requezts", "requests", Slip.LETTERS),
        ("equests", "requests", Slip.LETTERS),
        ("urlib3", "urllib3", Slip.LETTERS),
        ("urllib", "urllib3", Slip.LETTERS),
        ("djanga", "django", Slip.LETTERS),
        ("jeilyfish", "jellyfish", Slip.CONFUSABLE),
        ("colourama", "colorama", Slip.LETTERS),
        ("python-datuetil", "python-dateutil", Slip.LETTERS),
        ("numpyy", "numpy", Slip.LETTERS),
        ("nunpy", "numpy", Slip.LETTERS),
        ("beautifulsoup", "beautifulsoup4", Slip.LETTERS),
        ("pythondateutil", "python-dateutil", Slip.SEPARATORS),
        ("scikitlearn", "scikit-learn", Slip.SEPARATORS),
        ("py-mysql", "pymysql", Slip.SEPARATORS),
        ("nurnpy", "numpy", Slip.CONFUSABLE),
        ("co1orama", "colorama", Slip.CONFUSABLE),
        ("b0t0core", "botocore", Slip.CONFUSABLE),
        ("python3-dateutil", "python-dateutil", Slip.AFFIX),
        ("dateutil", "python-dateutil", Slip.AFFIX),
        ("python-requests", "requests", Slip.AFFIX),
        ("requests-py", "requests", Slip.AFFIX),
    ],
)
def test_one_slip_is_found(name: str, known: str, slip: Slip) -> None:
    assert INDEX.near(name).get(known) is slip


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("reqeustss", "requests"),
        ("requests-oauth", "requests"),
        ("httpx2-client", "httpx"),
        ("sox", "six"),
        ("pytz2", "pytz"),
        ("pyqt7", "pyqt6"),
        ("nvidia-cublas-cu13", "nvidia-cublas-cu12"),
        ("huggingface-hug", "huggingface-hub"),
        ("flask-admin", "flask-login"),
    ],
)
def test_more_than_a_slip_or_too_little_to_tell_is_not(name: str, known: str) -> None:
    assert known in EVERYDAY
    assert known not in INDEX.near(name)


def test_everyday_names_are_many_normalised_and_in_order() -> None:
    assert len(EVERYDAY) >= 500
    assert [normalise(name) for name in EVERYDAY] == EVERYDAY == sorted(set(EVERYDAY))
    assert {"requests", "numpy", "boto3", "litellm", "django", "pip"} <= set(EVERYDAY)


def test_a_name_that_is_added_has_look_alikes_other_than_itself() -> None:
    index = NameIndex(["requests"])
    assert index.near("acme-widgets") == {}
    index.add("acme-widgets")
    assert index.near("acme-widget") == {"acme-widgets": Slip.LETTERS}
    index.add("acme-widget")
    index.add("acme-widget")
    assert index.near("acme-widget") == {"acme-widgets": Slip.LETTERS}


names = st.text(string.ascii_lowercase + string.digits + "-", min_size=5, max_size=12).filter(
    lambda name: name.strip("-") == name and "--" not in name
)


@given(names, st.data())
def test_whatever_slip_of_a_finger_is_found_wherever_it_happens(name: str, data: st.DataObject) -> None:
    part = max(name.split("-"), key=len)
    if len(part) < 5:
        return
    at = name.index(part) + data.draw(st.integers(0, len(part) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase))
    slipped = {
        "added": name[:at] + letter + name[at:],
        "doubled": name[:at] + name[at] + name[at:],
        "replaced": name[:at] + letter + name[at + 1 :],
        "left out": name[:at] + name[at + 1 :],
    }
    if at + 1 < name.index(part) + len(part) and not name[at : at + 2].isdigit():
        slipped["swapped"] = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    for how, other in slipped.items():
        if other != name:
            assert name in NameIndex([name]).near(other), f"{how}: {other}"


@given(names, names)
def test_what_is_found_is_no_farther_than_a_slip(name: str, known: str) -> None:
    if NameIndex([known]).near(name).get(known) is Slip.LETTERS:
        assert _distance(name, known) == 1


def _distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance, the slow way."""
    rows = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            rows[i][j] = min(
                rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            )  # fmt: skip
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


def test_the_list_is_shipped_beside_the_policies() -> None:
    assert (Path(__file__).parents[3] / "policies" / "everyday-names.txt").is_file()
