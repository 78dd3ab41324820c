"""What a page says of the project as a whole."""

from typing import Any

import pytest
from tests.unit.index.json_pages import DROP, entry, page, parse

from pinfold.domain.project import StatusMarker, UpstreamStatus


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (DROP, UpstreamStatus(StatusMarker.ACTIVE)),
        (None, UpstreamStatus(StatusMarker.ACTIVE)),
        ({}, UpstreamStatus(StatusMarker.ACTIVE)),
        ({"status": "active"}, UpstreamStatus(StatusMarker.ACTIVE)),
        ({"status": "deprecated", "reason": ""}, UpstreamStatus(StatusMarker.DEPRECATED)),
        ({"status": "quarantined", "reason": "a\nb"}, UpstreamStatus(StatusMarker.QUARANTINED, "a b")),
    ],
)
def test_project_status(given: Any, status: UpstreamStatus) -> None:
    assert parse(page(project_status=given)).status == status


@pytest.mark.parametrize("marker", ["compromised", "Quarantined", "quarantined ", "", "unrecognised"])
def test_an_unknown_status_is_never_taken_for_active(marker: str) -> None:
    status = parse(page(project_status={"status": marker, "reason": "why"})).status
    assert status == UpstreamStatus(StatusMarker.UNRECOGNISED, f"{marker}: why")


def test_versions_come_from_the_page_and_else_from_the_files_in_their_order() -> None:
    names = ["demo_pkg-1.10.tar.gz", "demo_pkg-1.9.tar.gz", "demo_pkg-1.9.0.tar.gz", "demo_pkg-1.9rc1.tar.gz"]
    files = [entry(filename=name) for name in names]
    assert parse(page(*files)).versions == ("1.9rc1", "1.9", "1.9.0", "1.10")
    assert parse(page(*files, versions=[])).versions == ("1.9rc1", "1.9", "1.9.0", "1.10")
    assert parse(page(*files, versions=["2", "1", "2", "1\n", "", "9" * 500, "2004d"])).versions == ("2", "1", "2004d")


def test_other_indexes_that_cannot_be_addresses_are_left_out() -> None:
    project = parse(
        page(meta={"tracks": ["ftp://a.example/", "https://a.example/"]}, alternate_locations=["x:y", "/b/"])
    )
    assert project.tracks == ("https://a.example/",)
    assert project.alternate_locations == ("https://index.example/b/",)
