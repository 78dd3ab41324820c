"""The last good release, looked up, is what a look at all files finds."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.clock import NOON
from tests.fakes.evidence import a_file

from pinfold.domain.names import newest_release
from pinfold.domain.project import File
from pinfold.usecases.last_good import LastGood

HOUR = timedelta(hours=1)
VERSIONS = ("1.0", "1.1", "2.0rc1", "2.0", "3.0.dev1", None)

offers = st.lists(st.tuples(st.sampled_from(VERSIONS), st.one_of(st.none(), st.integers(0, 5))), max_size=10)


def offered(chosen: list[tuple[str | None, int | None]]) -> list[tuple[datetime | None, File]]:
    return [
        (None if hour is None else NOON + hour * HOUR, a_file(version=version, sha256=f"{place:064}"))
        for place, (version, hour) in enumerate(chosen)
    ]


@given(offers, st.integers(0, 10), st.one_of(st.none(), st.integers(-1, 6)))
def test_it_is_the_newest_of_the_others_that_were_there(chosen, beside: int, hour: int | None) -> None:
    there, moment = offered(chosen), None if hour is None else NOON + hour * HOUR
    expected = newest_release(
        file.version
        for place, (since, file) in enumerate(there)
        if place != beside and (moment is None or (since is not None and since <= moment))
    )
    assert LastGood(there).release(beside=f"{beside:064}", as_of=moment) == expected


@pytest.mark.parametrize(("versions", "expected"), [(("1.0", "2.0", "2.0"), "2.0"), (("1.0", "2.0"), "1.0")])
def test_a_release_is_good_as_long_as_one_of_its_files_is(versions, expected) -> None:
    there = offered([(version, 0) for version in versions])
    assert LastGood(there).release(beside=there[-1][1].sha256) == expected
