import asyncio
import random

import pytest
from msgspec.structs import replace
from tests.fakes.upstream import FakeFile, FakeUpstream, Fault, Manners
from tests.fakes.upstream.reading import entry_of, read
from tests.unit.adapters.upstream.conftest import Connect

from pinfold.domain.errors import NotFound, UpstreamError
from pinfold.domain.project import File

CONTENT = random.Random(1).randbytes(1_000_000)


@pytest.fixture
def served(index: FakeUpstream) -> FakeFile:
    return index.add_file("litellm", "1.82.6", content=CONTENT)


@pytest.fixture
async def file(index: FakeUpstream, connect: Connect, served: FakeFile) -> File:
    return await entry_of(connect(index.url), served)


def ranges_of(index: FakeUpstream, served: FakeFile) -> list[str | None]:
    return [request.headers.get("Range") for request in index.requests_for(served)]


async def test_bytes_are_asked_for_as_they_are(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    assert await read(connect(index.url), file) == CONTENT
    (request,) = index.requests_for(served)
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Range" not in request.headers


async def test_chunks_are_bounded(index: FakeUpstream, connect: Connect, file: File) -> None:
    async with connect(index.url).download(file) as download:
        sizes = [len(chunk) async for chunk in download.chunks]
    assert sum(sizes) == len(CONTENT)
    assert max(sizes) <= 256 << 10


@pytest.mark.parametrize(
    "fault", [Fault(headers={"Content-Encoding": "gzip"}), Fault(headers={"Content-Encoding": "br"})]
)
async def test_encoded_bytes_are_refused(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File, fault: Fault
) -> None:
    index.befall(served, fault)
    with pytest.raises(UpstreamError, match="content encoding"):
        await read(connect(index.url), file)


async def test_a_file_of_unknown_length_is_read_to_its_end(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(unframed=True))
    async with connect(index.url).download(file) as download:
        assert download.length is None
        assert b"".join([chunk async for chunk in download.chunks]) == CONTENT


# Connections that break.


@pytest.mark.parametrize("at", [0, 1, 400_000, 999_999])
async def test_a_download_that_breaks_off_goes_on_where_it_broke(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File, at: int
) -> None:
    index.befall(served, Fault(truncate_at=at, times=1))
    assert await read(connect(index.url), file) == CONTENT
    assert ranges_of(index, served) == [None, f"bytes={at}-" if at else None]


async def test_a_download_that_breaks_off_goes_on_from_an_offset(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(truncate_at=100, times=1))
    assert await read(connect(index.url), file, 500_000) == CONTENT[500_000:]
    assert ranges_of(index, served) == ["bytes=500000-", "bytes=500100-"]


async def test_a_download_that_breaks_off_is_read_again_where_there_are_no_ranges(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.manners = Manners(ranges=False, etags=False)
    index.befall(served, Fault(truncate_at=400_000, times=1))
    assert await read(connect(index.url), file) == CONTENT


async def test_a_download_that_goes_silent_is_resumed(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(drip=(600_000, 2), times=1))
    assert await read(connect(index.url, idle_timeout=0.1), file) == CONTENT
    assert ranges_of(index, served) == [None, "bytes=600000-"]


async def test_a_download_that_keeps_breaking_off_ends_in_an_error(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(truncate_at=1000))
    seen = bytearray()

    async def take() -> None:
        async with connect(index.url, retries=2).download(file) as download:
            async for chunk in download.chunks:
                seen.extend(chunk)

    with pytest.raises(UpstreamError, match="truncated"):
        await take()
    assert ranges_of(index, served) == [None, "bytes=1000-", "bytes=2000-"]
    assert bytes(seen) == CONTENT[:3000]


async def test_a_file_that_changes_meanwhile_is_not_pieced_together(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(truncate_at=1000, headers={"ETag": '"before"'}, times=1))
    with pytest.raises(UpstreamError, match="changed while it was being fetched"):
        await read(connect(index.url), file)


async def test_a_file_that_grows_meanwhile_is_not_pieced_together(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.manners = Manners(etags=False)
    index.befall(served, Fault(truncate_at=1000, times=1))
    async with connect(index.url).download(file) as download:
        assert download.length == len(CONTENT)
        index.replace_content(served, CONTENT + b"more")
        with pytest.raises(UpstreamError, match="changed its size"):
            [chunk async for chunk in download.chunks]


async def test_a_file_that_vanishes_meanwhile_is_an_error(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(truncate_at=1000, times=1))
    async with connect(index.url).download(file) as download:
        index.remove_file(served)
        with pytest.raises(UpstreamError, match="answered 404"):
            [chunk async for chunk in download.chunks]


# Answers that do not fit the question.


@pytest.mark.parametrize(
    "fault",
    [
        Fault(headers={"Content-Range": "bytes 499999-999999/1000000"}),
        Fault(headers={"Content-Range": "bytes 500000-999998/1000000"}),
        Fault(headers={"Content-Range": "bytes 500000-999999/*"}),
        Fault(headers={"Content-Range": ""}),
    ],
    ids=repr,
)
async def test_another_range_than_was_asked_for_is_refused(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File, fault: Fault
) -> None:
    index.befall(served, fault)
    with pytest.raises(UpstreamError, match="sent another range than was asked for"):
        await read(connect(index.url), file, 500_000)


async def test_a_range_that_brings_less_than_it_says_is_truncated(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(content=b"0123456789"))
    with pytest.raises(UpstreamError, match="truncated at byte 500010 of 1000000"):
        await read(connect(index.url, retries=0), file, 500_000)


async def test_a_range_that_brings_more_than_it_says_is_refused(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(content=bytes(2_000_000)))
    with pytest.raises(UpstreamError, match="sent more than the 1000000 bytes that it announced"):
        await read(connect(index.url), file, 500_000)


async def test_a_part_that_was_not_asked_for_is_refused(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(status=206, headers={"Content-Range": "bytes 0-999999/1000000"}))
    with pytest.raises(UpstreamError, match="answered 206"):
        await read(connect(index.url), file)


@pytest.mark.parametrize("ranges", [True, False])
async def test_an_offset_beyond_the_end_is_an_error(connect: Connect, ranges: bool) -> None:
    async with FakeUpstream(Manners(ranges=ranges)) as index:
        upstream = connect(index.url)
        file = await entry_of(upstream, index.add_file("litellm", "1.82.6", content=b"short"))
        with pytest.raises(UpstreamError, match=r"answered 416|has 5 bytes"):
            await read(upstream, file, 6)


async def test_trouble_before_the_first_byte_is_tried_again(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(status=503, times=2))
    assert await read(connect(index.url), file) == CONTENT
    assert len(index.requests_for(served)) == 3


@pytest.mark.parametrize("status", [404, 410])
async def test_a_file_that_is_gone_is_not_found(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File, status: int
) -> None:
    index.befall(served, Fault(status=status))
    with pytest.raises(NotFound, match=f"answered {status}"):
        await read(connect(index.url), file)
    assert len(index.requests_for(served)) == 1


# Time.


async def test_a_download_that_drips_is_given_up(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(drip=(100, 0.05)))
    upstream = connect(index.url, minimum_rate=10_000, rate_grace=0.3)
    async with asyncio.timeout(2):
        with pytest.raises(UpstreamError, match=r"too slow: \d+ bytes in \d+ s"):
            await read(upstream, file)
    assert len(index.requests_for(served)) == 1


async def test_a_taker_that_takes_its_time_is_no_slow_upstream(
    index: FakeUpstream, connect: Connect, file: File
) -> None:
    upstream = connect(index.url, minimum_rate=10_000_000, rate_grace=0.05)
    taken = 0
    async with upstream.download(file) as download:
        async for chunk in download.chunks:
            taken += len(chunk)
            await asyncio.sleep(0.15)
    assert taken == len(CONTENT)


async def test_a_download_that_takes_longer_than_a_page_may_is_fine(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    index.befall(served, Fault(drip=(200_000, 0.1)))
    assert await read(connect(index.url, total_timeout=0.1), file) == CONTENT


async def test_leaving_a_download_frees_its_connection(index: FakeUpstream, connect: Connect, file: File) -> None:
    upstream = connect(index.url)
    for _ in range(3):
        async with upstream.download(file) as download:
            assert await anext(download.chunks)
    assert await read(upstream, file) == CONTENT


async def test_a_download_can_be_cancelled(index: FakeUpstream, connect: Connect, served: FakeFile, file: File) -> None:
    index.befall(served, Fault(drip=(1000, 0.5)))
    begun = asyncio.Event()

    async def take() -> None:
        async with connect(index.url).download(file) as download:
            async for _ in download.chunks:
                begun.set()

    task = asyncio.create_task(take())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_of_the_index_page_is_not_read_from_elsewhere(
    index: FakeUpstream, connect: Connect, served: FakeFile, file: File
) -> None:
    elsewhere = replace(file, url=file.url.replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(UpstreamError, match="is not followed: it leads to an unusual port"):
        await read(connect(index.url), elsewhere)
    assert index.requests_for(served) == []
