from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.evidence import OTHER_SHA256, SHA256, UPLOADED, a_file

from pinfold.domain.listing import Listing, Sighting, observe
from pinfold.domain.project import File, Project, StatusMarker, UpstreamStatus

HOUR = timedelta(hours=1)
WHEEL = a_file()
SDIST = a_file(filename="litellm-1.82.8.tar.gz", sha256=OTHER_SHA256)


def at(hours: int) -> datetime:
    return UPLOADED + hours * HOUR


def page(*files: File, marker: StatusMarker = StatusMarker.ACTIVE) -> Project:
    return Project("litellm", files=files, status=UpstreamStatus(marker))


def seen(*pages: Project) -> Listing:
    """What is known after a page was seen each hour."""
    listing: Listing | None = None
    for hour, project in enumerate(pages):
        listing = observe(listing, project, at(hour))
    assert listing is not None
    return listing


class TestSightings:
    def test_first_sighting_is_the_moment_of_the_page_and_its_hash(self) -> None:
        listing = seen(page(WHEEL))
        assert listing.sightings == {WHEEL.filename: Sighting(at(0), SHA256)}
        assert (listing.fetched_at, listing.missing, listing.vanished_files()) == (at(0), False, [])

    def test_first_sighting_is_kept(self) -> None:
        listing = seen(page(WHEEL), page(WHEEL, SDIST), page(WHEEL, SDIST))
        assert listing.sightings == {
            WHEEL.filename: Sighting(at(0), SHA256),
            SDIST.filename: Sighting(at(1), OTHER_SHA256),
        }

    def test_first_hash_is_kept_whatever_the_upstream_says_later(self) -> None:
        listing = seen(page(WHEEL), page(a_file(sha256=OTHER_SHA256)), page(), page(a_file(sha256=OTHER_SHA256)))
        assert listing.sightings[WHEEL.filename] == Sighting(at(0), SHA256)

    def test_second_entry_of_one_name_does_not_replace_the_first(self) -> None:
        listing = seen(page(WHEEL, a_file(sha256=OTHER_SHA256)))
        assert listing.sightings[WHEEL.filename].sha256 == SHA256

    def test_what_was_known_before_stays_as_it_was(self) -> None:
        before = seen(page(WHEEL))
        remembered = dict(before.sightings)
        observe(before, page(), at(1))
        assert before.sightings == remembered


class TestVanishing:
    def test_file_that_is_gone_keeps_its_last_entry_and_when_it_was_last_there(self) -> None:
        yanked = a_file(yanked="broken")
        listing = seen(page(WHEEL, SDIST), page(yanked, SDIST), page(SDIST), page(SDIST))
        gone = listing.sightings[WHEEL.filename]
        assert gone == Sighting(at(0), SHA256, vanished_at=at(2), listed_until=at(1), last_entry=yanked)
        assert listing.vanished_files() == [yanked]
        assert listing.sightings[SDIST.filename] == Sighting(at(0), OTHER_SHA256)

    def test_file_that_is_back_has_not_vanished(self) -> None:
        listing = seen(page(WHEEL), page(), page(WHEEL))
        assert listing.sightings[WHEEL.filename] == Sighting(at(0), SHA256)
        assert listing.vanished_files() == []

    def test_file_that_goes_again_vanishes_again(self) -> None:
        gone = seen(page(WHEEL), page(), page(WHEEL), page()).sightings[WHEEL.filename]
        assert (gone.first_seen, gone.listed_until, gone.vanished_at) == (at(0), at(2), at(3))

    def test_files_of_a_missing_project_vanish(self) -> None:
        listing = observe(seen(page(WHEEL)), Project("litellm"), at(1), missing=True)
        assert listing.missing
        assert listing.vanished_files() == [WHEEL]

    def test_project_that_was_always_missing_has_nothing(self) -> None:
        listing = observe(None, Project("litellm"), at(0), missing=True)
        assert (listing.sightings, listing.vanished_files()) == ({}, [])


class TestStatus:
    def test_active_project_has_no_beginning(self) -> None:
        assert seen(page(), page()).status_since is None

    @pytest.mark.parametrize("marker", [marker for marker in StatusMarker if marker is not StatusMarker.ACTIVE])
    def test_status_counts_from_when_it_was_first_seen(self, marker: StatusMarker) -> None:
        assert seen(page(), page(marker=marker), page(marker=marker)).status_since == at(1)
        assert seen(page(marker=marker)).status_since == at(0)

    def test_other_status_begins_anew(self) -> None:
        archived, quarantined = page(marker=StatusMarker.ARCHIVED), page(marker=StatusMarker.QUARANTINED)
        assert seen(archived, quarantined, quarantined).status_since == at(1)

    def test_status_that_ended_is_forgotten(self) -> None:
        quarantined = page(marker=StatusMarker.QUARANTINED)
        assert seen(quarantined, page()).status_since is None
        assert seen(quarantined, page(), quarantined).status_since == at(2)


names = st.sampled_from(["a-1.tar.gz", "b-1.tar.gz", "c-1.tar.gz"])
pages = st.lists(
    st.lists(
        st.builds(a_file, filename=names, sha256=st.sampled_from([SHA256, OTHER_SHA256])),
        unique_by=lambda file: file.filename,
        max_size=3,
    ).map(lambda files: page(*files)),
    min_size=1,
    max_size=8,
)


@given(pages)
def test_memory_is_faithful_to_history(history: list[Project]) -> None:
    listing = seen(*history)
    listed = {file.filename for file in history[-1].files}
    first: dict[str, tuple[datetime, str]] = {}
    last: dict[str, int] = {}
    for hour, project in enumerate(history):
        for file in project.files:
            first.setdefault(file.filename, (at(hour), file.sha256))
            last[file.filename] = hour
    assert {name: (one.first_seen, one.sha256) for name, one in listing.sightings.items()} == first
    for name, one in listing.sightings.items():
        if name in listed:
            assert (one.vanished_at, one.listed_until, one.last_entry) == (None, None, None)
        else:
            assert (one.listed_until, one.vanished_at) == (at(last[name]), at(last[name] + 1))
            assert one.last_entry in history[last[name]].files


@given(pages)
def test_what_was_written_and_read_twice_is_kept_once(history: list[Project]) -> None:
    listing = seen(*history)
    condensed = msgspec.json.decode(msgspec.json.encode(listing), type=Listing).condensed()
    assert condensed == listing
    assert list(condensed.sightings) == list(listing.sightings)
    by_name = {filename: (filename, one) for filename, one in condensed.sightings.items()}
    for file in (*condensed.project.files, *condensed.vanished_files()):
        filename, one = by_name[file.filename]
        if one.sha256 == file.sha256:
            assert filename is file.filename
            assert one.sha256 is file.sha256
