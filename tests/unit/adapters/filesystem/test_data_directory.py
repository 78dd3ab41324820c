import errno
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pinfold import __version__
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.domain.errors import StoreError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        data = DataDirectory.open(tmp_path / "some" / "data")
    finally:
        os.umask(before)
    assert [mode(folder) for folder in (data.root, data.blobs, data.incoming)] == [0o700] * 3
    assert {path.name for path in data.root.iterdir()} == {"PINFOLD", "blobs", "incoming"}
    assert (data.ledger, data.catalog) == (data.root / "ledger.db", data.root / "catalog.db")


def test_a_directory_says_who_wrote_it(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path)
    assert (tmp_path / "PINFOLD").read_text() == f"layout 2\nwritten by Pinfold {__version__}\n"


def test_a_directory_can_be_opened_again(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path)
    (data.blobs / "sha256").mkdir()
    data.ledger.touch()
    assert DataDirectory.open(tmp_path) == data
    assert (data.blobs / "sha256").is_dir()


def test_a_relative_path_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert DataDirectory.open(Path("data")).root == tmp_path / "data"


def test_a_mounted_volume_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".snapshot").mkdir()
    DataDirectory.open(tmp_path)


def test_others_lose_the_access_that_they_had_and_the_group_keeps_its_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o2757)
    DataDirectory.open(tmp_path)
    assert mode(tmp_path) == 0o2750


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(StoreError, match=r"holds other files, such as 'thesis\.odt': name a new or empty directory"):
        DataDirectory.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]


def test_a_directory_of_a_later_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "PINFOLD").write_text("layout 3\nwritten by Pinfold 9.0\n")
    with pytest.raises(StoreError, match=r"was written by Pinfold 9\.0, .* run that version"):
        DataDirectory.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["PINFOLD"]


def test_blobs_of_the_first_layout_are_taken_out_of_their_folders(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path)
    (data.root / "PINFOLD").write_text("layout 1\nwritten by Pinfold 0.1\n")
    for name in ("ab" * 32, "abcd" * 16):
        folder = data.blobs / "sha256" / name[:2] / name[2:4]
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    DataDirectory.open(tmp_path)
    kept = data.blobs / "sha256"
    assert {path.name: path.read_text() for path in kept.iterdir()} == {name: name for name in ("ab" * 32, "abcd" * 16)}
    assert (data.root / "PINFOLD").read_text().startswith("layout 2\n")


def test_an_earlier_version_that_still_runs_keeps_nobody_from_starting_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataDirectory.open(tmp_path)
    (data.root / "PINFOLD").write_text("layout 1\nwritten by Pinfold 0.1\n")
    kept = data.blobs / "sha256"
    early, late = "ab" * 32, "abab" + "cd" * 30

    def put(name: str) -> None:
        (kept / "ab" / "ab").mkdir(parents=True, exist_ok=True)
        (kept / "ab" / "ab" / name).write_text(name)

    def rename(path: Path, target: Path) -> None:
        path.replace(target)
        put(late)

    put(early)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        DataDirectory.open(tmp_path)
    assert (kept / early).read_text() == early
    DataDirectory.open(tmp_path)
    assert {path.name: path.read_text() for path in kept.iterdir()} == {name: name for name in (early, late)}


def test_processes_that_start_at_once_take_blobs_out_of_their_folders_together(tmp_path: Path) -> None:
    data = DataDirectory.open(tmp_path)
    kept = data.blobs / "sha256"
    names = {f"{number:02x}{number % 7:02x}{number:060x}" for number in range(256)}
    for _ in range(5):
        (data.root / "PINFOLD").write_text("layout 1\nwritten by Pinfold 0.1\n")
        for name in names:
            folder = kept / name[:2] / name[2:4]
            folder.mkdir(parents=True)
            (folder / name).touch()
        with ThreadPoolExecutor(4) as processes:
            assert list(processes.map(DataDirectory.open, [tmp_path] * 4)) == [data] * 4
        assert {path.name for path in kept.iterdir()} == names
        for name in names:
            (kept / name).unlink()


@pytest.mark.parametrize("text", ["", "layout one\nwritten by Pinfold 1\n", "layout 1\n", "\xff\x1b[31m", "1" * 10_000])
def test_a_marker_that_says_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "PINFOLD").write_text(text)
    with pytest.raises(StoreError, match="name the right data directory") as caught:
        DataDirectory.open(tmp_path)
    assert str(caught.value).isprintable()


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match="data: something else is in the way"):
        DataDirectory.open(tmp_path / "data")


def test_a_path_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="something else is in the way"):
        DataDirectory.open(tmp_path / "file" / "data")


@pytest.mark.parametrize("name", ["blobs", "incoming"])
def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path, name: str) -> None:
    DataDirectory.open(tmp_path)
    (tmp_path / name).rmdir()
    (tmp_path / name).touch()
    with pytest.raises(StoreError, match=f"{name}: something else is in the way"):
        DataDirectory.open(tmp_path)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may not write there"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_directory_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    # The tests may run as root, whom no permission stops.
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(StoreError, match=f"{tmp_path}: .*{advice}"):
        DataDirectory.open(tmp_path)
