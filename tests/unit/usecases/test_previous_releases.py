from datetime import UTC, datetime, timedelta

from pinfold.domain.names import parse_filename
from pinfold.domain.project import File
from pinfold.usecases.previous_releases import PreviousReleases, later_files, likeness

START = datetime(2026, 1, 1, tzinfo=UTC)
TAGS = "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64"


def a_file(release: str, tag: str | None = "py3-none-any", day: int = 0) -> File:
    filename = f"widget-{release}-{tag}.whl" if tag else f"widget-{release}.tar.gz"
    name = parse_filename(filename, "widget")
    return File(
        filename,
        f"https://files.example/{filename}",
        "0" * 64,
        name.kind,
        name.version,
        upload_time=START + timedelta(day),
    )


def before(file: File, *others: File) -> list[str]:
    return [others[position].filename for position in PreviousReleases(others).before(file)]


def test_the_newest_earlier_release_comes_first() -> None:
    files = [a_file("1.9"), a_file("1.10"), a_file("1.8"), a_file("2.0"), a_file("1.10.1")]
    assert before(a_file("1.10.1"), *files) == [f"widget-{one}-py3-none-any.whl" for one in ("1.10", "1.9", "1.8")]


def test_wheels_are_compared_with_wheels_and_sdists_with_sdists() -> None:
    files = [a_file("1.0"), a_file("1.0", None), a_file("0.9", None)]
    assert before(a_file("1.1"), *files) == ["widget-1.0-py3-none-any.whl"]
    assert before(a_file("1.1", None), *files) == ["widget-1.0.tar.gz", "widget-0.9.tar.gz"]


def test_what_was_uploaded_later_was_not_before() -> None:
    assert before(a_file("1.1", day=5), a_file("1.0", day=6), a_file("0.9", day=5)) == ["widget-0.9-py3-none-any.whl"]


def test_of_a_release_the_wheel_for_the_same_platform_comes_first() -> None:
    tags = [
        "cp312-cp312-win_amd64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp312-cp312-musllinux_1_2_aarch64",
        "py3-none-any",
    ]
    nearest = before(a_file("1.1", TAGS), *(a_file("1.0", tag) for tag in tags))[0]
    assert nearest == "widget-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert likeness(a_file("1.0", TAGS), a_file("1.1", TAGS)) == 1


def test_a_file_whose_version_nobody_can_tell_comes_after_all_others() -> None:
    nameless = File("widget-nightly.tar.gz", "", "0" * 64, a_file("1.0", None).kind, None)
    assert before(nameless, a_file("1.0", None)) == ["widget-1.0.tar.gz"]
    assert before(a_file("1.0", None), nameless) == []


def test_releases_are_ordered_so_that_each_comes_after_what_it_is_compared_with() -> None:
    files = [a_file("2.0"), a_file("1.0"), a_file("1.5"), a_file("1.5", None)]
    assert PreviousReleases(files).order([0, 1, 2, 3]) == [1, 2, 3, 0]


def test_later_files_are_those_that_resemble_what_is_in_use() -> None:
    used = [a_file("1.0", TAGS), a_file("0.9", None)]
    files = [
        *used,
        a_file("1.1", "cp312-cp312-win_amd64"),
        a_file("1.1", TAGS),
        a_file("1.1", None),
        a_file("1.2", TAGS),
    ]
    assert [file.filename for file in later_files(files, used)] == [
        f"widget-1.2-{TAGS}.whl",
        f"widget-1.1-{TAGS}.whl",
        "widget-1.1.tar.gz",
    ]
    assert later_files(files, []) == []
