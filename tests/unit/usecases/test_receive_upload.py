import hashlib

import pytest
from tests.fakes.blobs import FakeBlobs

from pinfold.domain.errors import InvalidUpload, StoreError, UploadTooLarge
from pinfold.usecases.receive_upload import PIECE, receiving

CONTENT = bytes(range(256)) * 8192


@pytest.fixture
def blobs(tmp_path):
    return FakeBlobs(tmp_path)


async def test_a_file_is_hashed_as_it_comes_and_kept_under_its_hash(blobs):
    async with receiving(blobs, 10 * PIECE) as received:
        for start in range(0, len(CONTENT), 100_000):
            await received.write(CONTENT[start : start + 100_000])
        await received.flush()
        assert received.size == len(CONTENT)
        received.check(
            {
                "sha256": hashlib.sha256(CONTENT).hexdigest().upper(),
                "blake2_256": hashlib.blake2b(CONTENT, digest_size=32).hexdigest(),
                "md5": hashlib.md5(CONTENT).hexdigest(),
            }
        )
        await received.keep()
    path = await blobs.find(hashlib.sha256(CONTENT).hexdigest())
    assert path is not None
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("algorithm", ["sha256", "blake2_256", "md5"])
async def test_every_digest_has_to_be_right(blobs, algorithm):
    async with receiving(blobs, PIECE) as received:
        await received.write(b"content")
        await received.flush()
        with pytest.raises(InvalidUpload, match=f"digest.*{algorithm}"):
            received.check({algorithm: "0" * 64})


async def test_nothing_beyond_the_limit_is_taken(blobs):
    async with receiving(blobs, 10) as received:
        await received.write(b"0123456789")
        with pytest.raises(UploadTooLarge, match="10 bytes"):
            await received.write(b"x")


async def test_what_is_not_kept_is_thrown_away(blobs):
    async with receiving(blobs, PIECE) as received:
        await received.write(b"content")
        await received.flush()
        sha256 = received.sha256
    assert await blobs.find(sha256) is None


async def test_a_store_that_fails_is_no_fault_of_the_upload(blobs):
    blobs.failure = StoreError("the disk is full")
    with pytest.raises(StoreError):
        async with receiving(blobs, PIECE):
            pass
