import asyncio
import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import pytest

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.domain.errors import FileMismatch, StoreError

CONTENT = b"PK\x03\x04 a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    return DataDirectory.open(tmp_path / "data")


@pytest.fixture
async def blobs(data: DataDirectory) -> AsyncIterator[FileBlobs]:
    blobs = FileBlobs(data.blobs, data.incoming)
    yield blobs
    await blobs.close()


async def keep(blobs: FileBlobs, content: bytes) -> Path:
    async with blobs.writer() as writer:
        await writer.write(content)
        return await writer.commit(hashlib.sha256(content).hexdigest())


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def left_over(data: DataDirectory) -> list[str]:
    return [path.name for path in data.incoming.iterdir()]


async def test_a_blob_lies_where_its_hash_says_and_nobody_may_change_it(blobs: FileBlobs, data: DataDirectory) -> None:
    path = await keep(blobs, CONTENT)
    assert path == data.blobs / "sha256" / SHA256
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_nlink == 1
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:1]] == [0o750]


async def test_a_commit_replaces_what_lies_there_by_what_was_verified(blobs: FileBlobs) -> None:
    path = await keep(blobs, CONTENT)
    path.unlink()
    path.write_bytes(b"damaged")
    assert await keep(blobs, CONTENT) == path
    assert path.read_bytes() == CONTENT


async def test_a_link_is_not_followed(blobs: FileBlobs, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"a key")
    path = await keep(blobs, CONTENT)
    path.unlink()
    path.symlink_to(secret)
    assert await blobs.find(SHA256) is None
    assert await blobs.among({SHA256}) == set()
    await keep(blobs, CONTENT)
    assert secret.read_bytes() == b"a key"
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()


async def test_a_folder_under_a_hash_is_no_blob(blobs: FileBlobs) -> None:
    path = await keep(blobs, CONTENT)
    path.unlink()
    path.mkdir()
    assert await blobs.find(SHA256) is None
    with pytest.raises(StoreError):
        await keep(blobs, CONTENT)


async def test_a_file_in_the_way_of_a_folder_is_an_error(blobs: FileBlobs, data: DataDirectory) -> None:
    (data.blobs / "sha256").write_bytes(b"")
    with pytest.raises(StoreError, match="something else is in the way"):
        await keep(blobs, CONTENT)
    with pytest.raises(StoreError, match="something else is in the way"):
        await blobs.find(SHA256)
    assert left_over(data) == []


async def test_a_full_disk_is_an_error_and_leaves_nothing(
    blobs: FileBlobs, data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(descriptor: int, chunk: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        await keep(blobs, CONTENT)
    async with blobs.claim(SHA256) as writer:
        assert writer is not None
        with pytest.raises(StoreError, match="the disk is full; free some space"):
            await writer.settle(SHA256, CONTENT)
    monkeypatch.undo()
    assert await blobs.find(SHA256) is None
    assert left_over(data) == []


async def test_bytes_that_were_written_by_half_and_then_again_do_not_pass(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, failures = os.write, iter([OSError(errno.ENOSPC, "full")])

    def write(descriptor: int, chunk: memoryview) -> int:
        if len(chunk) < len(CONTENT) and (failure := next(failures, None)):
            raise failure
        return real_write(descriptor, chunk[:3])

    monkeypatch.setattr(os, "write", write)
    async with blobs.writer() as writer:
        with pytest.raises(StoreError):
            await writer.write(CONTENT)
        await writer.write(CONTENT)
        with pytest.raises(FileMismatch):
            await writer.commit(SHA256)
    assert await blobs.find(SHA256) is None


async def test_a_disk_that_takes_few_bytes_at_a_time_gets_them_all(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, chunk: real_write(descriptor, chunk[:3]))
    assert (await keep(blobs, CONTENT)).read_bytes() == CONTENT


async def test_a_write_that_outlives_its_request_touches_no_other_file(
    blobs: FileBlobs, data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, writing, go_on = os.write, threading.Event(), threading.Event()

    def slow_write(descriptor: int, chunk: memoryview) -> int:
        writing.set()
        go_on.wait(5)
        return real_write(descriptor, chunk)

    async def fill() -> None:
        async with blobs.writer() as writer:
            await writer.write(b"left over")

    monkeypatch.setattr(os, "write", slow_write)
    task = asyncio.create_task(fill())
    await asyncio.to_thread(writing.wait, 5)
    task.cancel()
    await asyncio.sleep(0.02)
    monkeypatch.undo()
    path = await keep(blobs, CONTENT)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert path.read_bytes() == CONTENT
    assert left_over(data) == []


async def test_whoever_hangs_up_at_any_moment_leaves_neither_files_nor_descriptors(
    blobs: FileBlobs, data: DataDirectory
) -> None:
    async def fill() -> None:
        async with blobs.writer() as writer:
            for _ in range(3):
                await writer.write(CONTENT)

    before = open_descriptors()
    for turns in range(40):
        task = asyncio.create_task(fill())
        for _ in range(turns % 10):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await blobs.close()
    assert left_over(data) == []
    assert open_descriptors() == before


async def test_a_sweep_removes_what_the_dead_left_and_nothing_of_the_living(
    blobs: FileBlobs, data: DataDirectory
) -> None:
    (data.incoming / "half-written").write_bytes(b"PK")
    elsewhere = FileBlobs(data.blobs, data.incoming)
    async with elsewhere.writer() as writer:
        await writer.write(CONTENT)
        await blobs.sweep()
        assert left_over(data) == [writer.path.name]
        await writer.commit(SHA256)
    await elsewhere.close()
    assert await blobs.find(SHA256) is not None


async def test_a_claim_survives_a_sweep_and_takes_over_from_the_dead(blobs: FileBlobs, data: DataDirectory) -> None:
    (data.incoming / SHA256).write_bytes(b"PK, and then its process died")
    async with blobs.arrival(SHA256) as arrival:
        assert arrival is not None
        assert await arrival.size() is None
    async with blobs.claim(SHA256) as writer:
        assert writer is not None
        await blobs.sweep()
        await writer.write(CONTENT)
        await writer.commit(SHA256)
    path = await blobs.find(SHA256)
    assert path is not None
    assert path.read_bytes() == CONTENT


async def test_a_claim_never_writes_into_the_blob_whose_second_name_the_dead_left(
    blobs: FileBlobs, data: DataDirectory
) -> None:
    another = hashlib.sha256(b"another").hexdigest()
    (data.incoming / another).hardlink_to(path := await keep(blobs, CONTENT))
    async with blobs.claim(another) as writer:
        assert writer is not None
        await writer.write(b"something else")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT, b""], ids=["some", "empty"])
async def test_a_claim_that_met_bytes_on_their_way_to_their_name_does_not_touch_them(
    blobs: FileBlobs, data: DataDirectory, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    arrives, target = data.incoming / sha256, data.blobs / "sha256" / sha256
    arrives.write_bytes(content)
    target.parent.mkdir(parents=True)
    real_flock = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        real_flock(descriptor, operation)
        if arrives.exists() and not target.exists():
            arrives.rename(target)

    monkeypatch.setattr(fcntl, "flock", flock)
    async with blobs.claim(sha256) as writer:
        assert writer is None
    assert target.read_bytes() == content
    assert left_over(data) == []


async def test_what_was_settled_is_made_durable_together_and_each_folder_once(
    blobs: FileBlobs, data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    paths = []
    for content in (CONTENT, b"another", b"removed"):
        async with blobs.writer() as writer:
            await writer.write(content)
            paths.append(await writer.settle(hashlib.sha256(content).hexdigest()))
    paths.pop().unlink()
    assert synced == []
    await blobs.close()
    assert {*paths, *paths[0].parents[:2]} <= set(synced)
    assert data.blobs in synced
    assert len(synced) == len(set(synced))


async def test_what_was_settled_is_made_durable_soon(blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr("pinfold.adapters.filesystem.blobs._SYNC_SECONDS", 0.001)
    monkeypatch.setattr(os, "fsync", lambda _: synced.set())
    async with blobs.writer() as writer:
        await writer.write(CONTENT)
        await writer.settle(SHA256)
    assert await asyncio.to_thread(synced.wait, 5)


async def test_a_disk_that_fails_to_make_blobs_durable_is_told_of(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    async with blobs.writer() as writer:
        await writer.write(CONTENT)
        await writer.settle(SHA256)
    await blobs.close()
    assert "Input/output error" in caplog.text


@pytest.mark.parametrize("name", ["", "..", "../ledger.db", "A" * 64])
async def test_only_a_hash_can_be_claimed(blobs: FileBlobs, name: str) -> None:
    with pytest.raises(FileMismatch):
        async with blobs.claim(name):
            pass
    with pytest.raises(FileMismatch):
        async with blobs.arrival(name):
            pass


async def test_a_sweep_goes_past_what_is_no_file(blobs: FileBlobs, data: DataDirectory, tmp_path: Path) -> None:
    (data.incoming / "folder").mkdir()
    os.mkfifo(data.incoming / "pipe")
    (data.incoming / "link").symlink_to(tmp_path)
    (data.incoming / "zz-half-written").write_bytes(b"PK")
    await blobs.sweep()
    assert "zz-half-written" not in left_over(data)
    assert "folder" in left_over(data)


async def test_a_file_that_is_swept_away_before_it_is_locked_is_begun_again(
    blobs: FileBlobs, data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_flock, swept = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not swept:
            swept.extend(path.unlink() for path in data.incoming.iterdir())
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    path = await keep(blobs, CONTENT)
    assert len(swept) == 1
    assert path.read_bytes() == CONTENT


async def test_a_closed_store_takes_no_more_work(blobs: FileBlobs) -> None:
    await blobs.close()
    with pytest.raises(StoreError, match="takes no more work"):
        await blobs.find(SHA256)


async def test_damaged_bytes_are_set_aside_and_not_lost(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    blobs = FileBlobs(tmp_path / "blobs", tmp_path / "incoming")
    sha256 = hashlib.sha256(b"content").hexdigest()
    async with blobs.writer() as writer:
        await writer.write(b"content")
        path = await writer.commit(sha256)
    path.chmod(0o600)
    path.write_bytes(b"contint")
    assert not await blobs.verify(sha256)
    assert await blobs.find(sha256) is None
    assert path.with_name(f"{sha256}.damaged").read_bytes() == b"contint"
    await blobs.close()


async def test_good_bytes_that_come_while_damaged_ones_are_read_are_not_set_aside(
    blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await keep(blobs, CONTENT)
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    digest = hashlib.file_digest

    def slowly(file: BinaryIO, name: str) -> object:
        found = digest(file, name)
        good = path.with_name("good")
        good.write_bytes(CONTENT)
        good.rename(path)
        return found

    monkeypatch.setattr(hashlib, "file_digest", slowly)
    assert not await blobs.verify(SHA256)
    monkeypatch.undo()
    assert await blobs.verify(SHA256)
