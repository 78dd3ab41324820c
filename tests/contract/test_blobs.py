"""What every blob store keeps to, whatever it is made of."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.fakes.blobs import FakeBlobs

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.adapters.filesystem.data_directory import DataDirectory
from pinfold.domain.errors import FileMismatch, NotFound
from pinfold.ports.blobs import Blobs

CONTENT = b"PK\x03\x04 a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture(params=["filesystem", "fake"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    if request.param == "fake":
        yield FakeBlobs(tmp_path)
        return
    data = DataDirectory.open(tmp_path / "data")
    blobs = FileBlobs(data.blobs, data.incoming)
    yield blobs
    await blobs.close()


async def keep(blobs: Blobs, content: bytes) -> Path:
    async with blobs.writer() as writer:
        await writer.write(content)
        return await writer.commit(hashlib.sha256(content).hexdigest())


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "PINFOLD"]


async def test_a_blob_is_found_by_its_hash(blobs: Blobs) -> None:
    async with blobs.writer() as writer:
        for chunk in (CONTENT[:3], b"", CONTENT[3:]):
            await writer.write(chunk)
        path = await writer.commit(SHA256)
    assert path.read_bytes() == CONTENT
    assert await blobs.find(SHA256) == path


async def test_a_blob_may_be_empty(blobs: Blobs) -> None:
    async with blobs.writer() as writer:
        path = await writer.commit(EMPTY)
    assert path.read_bytes() == b""


async def test_nothing_is_found_before_the_commit(blobs: Blobs) -> None:
    async with blobs.writer() as writer:
        await writer.write(CONTENT)
        assert await blobs.find(SHA256) is None
        assert await blobs.among({SHA256}) == set()


async def test_bytes_with_another_hash_are_refused_and_thrown_away(blobs: Blobs, tmp_path: Path) -> None:
    async with blobs.writer() as writer:
        await writer.write(CONTENT + b"!")
        with pytest.raises(FileMismatch, match=SHA256):
            await writer.commit(SHA256)
    assert await blobs.find(SHA256) is None
    assert await blobs.find(hashlib.sha256(CONTENT + b"!").hexdigest()) is None
    assert files_below(tmp_path) == []


async def test_what_is_settled_is_found_at_once_and_stays(blobs: Blobs) -> None:
    async with blobs.claim(SHA256) as writer:
        assert writer is not None
        await writer.write(CONTENT[:5])
        path = await writer.settle(SHA256, CONTENT[5:])
        assert await blobs.find(SHA256) == path
        assert path.read_bytes() == CONTENT
    async with blobs.writer() as writer:
        await writer.write(CONTENT + b"!")
        beside = await writer.settle(hashlib.sha256(CONTENT + b"!").hexdigest())
    assert (path.read_bytes(), beside.read_bytes()) == (CONTENT, CONTENT + b"!")


async def test_bytes_with_another_hash_are_not_settled(blobs: Blobs) -> None:
    async with blobs.writer() as writer:
        await writer.write(CONTENT + b"!")
        with pytest.raises(FileMismatch, match=SHA256):
            await writer.settle(SHA256)
        with pytest.raises(FileMismatch, match=SHA256):
            await writer.settle(SHA256, CONTENT)
        assert await blobs.find(SHA256) is None
        assert await blobs.find(hashlib.sha256(CONTENT + b"!").hexdigest()) is None


async def test_what_is_not_committed_is_thrown_away(blobs: Blobs, tmp_path: Path) -> None:
    async with blobs.writer() as writer:
        await writer.write(CONTENT)
    assert files_below(tmp_path) == []


async def test_what_fails_half_way_is_thrown_away(blobs: Blobs, tmp_path: Path) -> None:
    async def fail() -> None:
        async with blobs.writer() as writer:
            await writer.write(CONTENT)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()
    assert files_below(tmp_path) == []


async def test_what_is_cancelled_half_way_is_thrown_away(blobs: Blobs, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def fill() -> None:
        async with blobs.writer() as writer:
            await writer.write(CONTENT)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(fill())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_below(tmp_path) == []


async def test_whoever_opened_the_bytes_follows_them_to_the_end(blobs: Blobs) -> None:
    async with blobs.writer() as writer:
        with writer.path.open("rb") as follower:
            await writer.write(CONTENT[:5])
            assert follower.read() == CONTENT[:5]
            await writer.write(CONTENT[5:])
            kept = await writer.commit(SHA256)
            assert writer.path.read_bytes() == CONTENT
            kept.unlink()
            assert follower.read() == CONTENT[5:]


async def test_the_same_bytes_may_come_twice_at_once(blobs: Blobs) -> None:
    async with blobs.writer() as one, blobs.writer() as other:
        await one.write(CONTENT)
        await other.write(CONTENT)
        assert await one.commit(SHA256) == await other.commit(SHA256)
    path = await blobs.find(SHA256)
    assert path is not None
    assert path.read_bytes() == CONTENT


async def test_a_claimed_blob_is_followed_while_it_arrives(blobs: Blobs) -> None:
    async with blobs.claim(SHA256) as writer:
        assert writer is not None
        await writer.write(CONTENT[:5])
        async with blobs.claim(SHA256) as other:
            assert other is None, "the same blob was claimed twice"
        async with blobs.arrival(SHA256) as arrival:
            assert arrival is not None
            assert (await arrival.size(), arrival.path.read_bytes()) == (5, CONTENT[:5])
            await writer.write(CONTENT[5:])
            assert await arrival.size() == len(CONTENT)
            await writer.commit(SHA256)
    assert await blobs.find(SHA256) is not None


async def test_an_arrival_ends_with_its_claim_and_leaves_room_for_another(blobs: Blobs) -> None:
    async with AsyncExitStack() as following:
        async with blobs.claim(SHA256) as writer:
            assert writer is not None
            arrival = await following.enter_async_context(blobs.arrival(SHA256))
            assert arrival is not None
            await writer.write(CONTENT[:5])
        assert await arrival.size() is None
    assert await blobs.find(SHA256) is None
    async with blobs.arrival(SHA256) as nothing:
        assert nothing is None
    async with blobs.claim(SHA256) as again:
        assert again is not None
        await again.write(CONTENT)
        await again.commit(SHA256)
    assert await blobs.find(SHA256) is not None


async def test_what_was_brought_in_meanwhile_is_not_begun_again(blobs: Blobs) -> None:
    await keep(blobs, CONTENT)
    async with blobs.claim(SHA256) as again:
        assert again is None
    async with blobs.arrival(SHA256) as arrival:
        assert arrival is None
    path = await blobs.find(SHA256)
    assert path is not None
    assert path.read_bytes() == CONTENT


async def test_bytes_at_hand_are_kept_in_one_go(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.keep(CONTENT, SHA256)
    path = await blobs.find(SHA256)
    assert path is not None
    assert path.read_bytes() == CONTENT
    await blobs.keep(CONTENT, SHA256)
    with pytest.raises(FileMismatch, match=EMPTY):
        await blobs.keep(CONTENT, EMPTY)
    assert files_below(tmp_path) == [path]


async def test_many_blobs_may_come_at_once(blobs: Blobs) -> None:
    contents = [bytes([n]) * 1000 for n in range(40)]
    await asyncio.gather(*(keep(blobs, content) for content in contents))
    hashes = {hashlib.sha256(content).hexdigest() for content in contents}
    assert await blobs.among(hashes | {SHA256}) == hashes


@pytest.mark.parametrize(
    "name", ["", "..", "../../../../etc/passwd", "a" * 63, "a" * 65, "A" * 64, "a" * 64 + "\n", "\0" * 64]
)
async def test_what_is_no_hash_names_no_blob(blobs: Blobs, name: str) -> None:
    await keep(blobs, CONTENT)
    assert await blobs.find(name) is None
    assert await blobs.among({name}) == set()
    with pytest.raises(NotFound):
        await blobs.verify(name)
    with pytest.raises(FileMismatch):
        async with blobs.writer() as writer:
            await writer.commit(name)
    assert await blobs.among({SHA256}) == {SHA256}


async def test_an_intact_blob_is_told_from_a_damaged_one(blobs: Blobs) -> None:
    path = await keep(blobs, CONTENT)
    assert await blobs.verify(SHA256)
    path.chmod(0o600)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert not await blobs.verify(SHA256)
    assert await blobs.find(SHA256) is None
    with pytest.raises(NotFound):
        await blobs.verify(SHA256)
