import asyncio
from pathlib import Path

import pytest

from pinfold.adapters.filesystem.checkpoint_file import CheckpointFile
from pinfold.audit.checkpoint import Checkpoint
from pinfold.audit.kept import split_notes
from pinfold.audit.note import Signer
from pinfold.ports.checkpoints import NotKept

ORIGIN = "pinfold.example/audit"
SIGNER = Signer.from_seed(ORIGIN, bytes(32))


def note(size: int, *, origin: str = ORIGIN) -> bytes:
    return Checkpoint(origin, size, bytes([size % 256]) * 32).sign(Signer.from_seed(origin, bytes(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


async def test_checkpoints_follow_each_other_also_after_a_restart(path: Path) -> None:
    for size in range(5):
        await CheckpointFile(path).keep(note(size))
    assert list(split_notes(path.read_bytes())) == [note(size) for size in range(5)]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_is_there_already_is_not_written_again(path: Path) -> None:
    await CheckpointFile(path).keep(note(1))
    before = path.read_bytes()
    await asyncio.gather(*(CheckpointFile(path).keep(note(1)) for _ in range(10)))
    assert path.read_bytes() == before


async def test_a_file_that_was_moved_away_is_begun_anew(path: Path) -> None:
    sink = CheckpointFile(path)
    await sink.keep(note(1))
    path.rename(path.with_suffix(".1"))
    await sink.keep(note(2))
    assert path.read_bytes() == note(2) + b"\n"


async def test_a_torn_end_spoils_no_other_checkpoint(path: Path) -> None:
    for kept in (*range(1, len(note(2)), 7), note(2).index(b"\n\n") + 2):
        path.write_bytes(note(1) + b"\n" + note(2)[:kept])
        await CheckpointFile(path).keep(note(3))
        found = list(split_notes(path.read_bytes()))
        assert (found[0], found[-1]) == (note(1), note(3)), kept


async def test_a_log_that_was_set_back_is_told_and_nothing_written(path: Path) -> None:
    await CheckpointFile(path).keep(note(9))
    with pytest.raises(NotKept, match="was set back"):
        await CheckpointFile(path).keep(note(8))
    assert list(split_notes(path.read_bytes())) == [note(9)]
    await CheckpointFile(path).keep(note(3, origin="another.example/audit"))


async def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotKept):
        await CheckpointFile(tmp_path / "none" / "checkpoints").keep(note(1))
