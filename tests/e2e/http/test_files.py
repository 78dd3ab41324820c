"""Files on their way: streamed while they are hashed, fetched once for all, and never served when they are wrong."""

import asyncio
import hashlib
import logging
import time
from dataclasses import replace

import aiohttp
import pytest
from tests.e2e.http.addresses import address
from tests.e2e.in_process import in_process
from tests.fakes.upstream import POOR, FakeUpstream, Fault

from pinfold.usecases.file_download import JUDGED_FIRST

MIB = 1024 * 1024
LARGE = JUDGED_FIRST + MIB
"""Of a file that is sent while it arrives; a smaller one is judged for good first."""


def noise(size):
    """Bytes that do not compress, the same every time."""
    return hashlib.shake_128(b"noise").digest(size)


async def actions(pinfold):
    return [entry.action for entry in await pinfold.audited()]


async def test_a_file_arrives_whole_and_is_served_from_here_afterwards(pinfold, upstream):
    file = upstream.add_file("six", "1.0", content=noise(MIB))
    for _ in range(3):
        answer = await pinfold.get(address(file))
        assert (answer.status, answer.body) == (200, file.content)
    assert len(upstream.requests_for(file)) == 1
    assert answer.headers["ETag"] == f'"{file.sha256}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Encoding" not in answer.headers
    assert await actions(pinfold) == ["file.served"] * 3


async def test_the_first_byte_leaves_before_the_last_has_arrived_and_many_share_one_fetch(pinfold, upstream):
    size = LARGE
    file = upstream.add_file("big", "1.0", content=noise(size))
    upstream.befall(file, Fault(drip=(size // 8, 0.1)))
    first_bytes, started = [], time.monotonic()

    async def fetch(session):
        digest = hashlib.sha256()
        async with session.get(pinfold.url + address(file)) as response:
            async for chunk in response.content.iter_any():
                first_bytes.append(time.monotonic() - started)
                digest.update(chunk)
        return digest.hexdigest()

    async with aiohttp.ClientSession() as session:
        digests = await asyncio.gather(*(fetch(session) for _ in range(20)))
    whole = time.monotonic() - started
    assert digests == [file.sha256] * 20
    assert len(upstream.requests_for(file)) == 1
    assert min(first_bytes) < whole / 2


async def test_wrong_bytes_never_arrive_whole_and_are_not_kept(pinfold, upstream):
    file = upstream.add_file("wrong", "1.0", content=noise(LARGE))
    lie = bytearray(file.content)
    lie[1000] ^= 1
    upstream.befall(file, Fault(content=bytes(lie)))
    answer = await pinfold.get(address(file))
    assert len(answer.body) <= LARGE - 64 * 1024
    assert await pinfold.installation.blobs.find(file.sha256) is None
    # The connection ends first, so that the entry may follow a moment later.
    async with asyncio.timeout(20):
        while await actions(pinfold) != ["file.served", "file.broken-off"]:
            await asyncio.sleep(0.02)
    upstream.recover()
    assert (await pinfold.get(address(file))).body == file.content


async def test_wrong_bytes_of_a_small_file_are_an_error_without_a_byte_of_them(pinfold, upstream):
    file = upstream.add_file("small", "1.0")
    upstream.befall(file, Fault(content=b"x" * len(file.content)))
    answer = await pinfold.get(address(file))
    assert answer.status == 502
    assert "not what the index promised" in answer.reason
    assert await actions(pinfold) == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(truncate_at=0),
        Fault(status=503),
        Fault(status=404),
        Fault(reset=True),
        Fault(headers={"Content-Length": "5"}),
        Fault(content=noise(2 * MIB)),
        Fault(content=b""),
        Fault(redirect_to="/simple/"),
        Fault(redirect_to="http://169.254.169.254/latest/meta-data/"),
        Fault(headers={"Content-Encoding": "gzip"}),
    ],
    ids=lambda fault: str({name: value for name, value in vars(fault).items() if value and name != "content"}),
)
async def test_an_upstream_that_fails_gives_an_error_and_nothing_false(pinfold, upstream, fault):
    file = upstream.add_file("shaky", "1.0", content=noise(MIB))
    upstream.befall(file, fault)
    answer = await pinfold.get(address(file))
    assert answer.status in {502, 404} or (answer.status == 200 and len(answer.body) < MIB), answer
    assert await pinfold.installation.blobs.find(file.sha256) is None


async def test_a_download_that_breaks_is_taken_up_where_it_broke(pinfold, upstream):
    file = upstream.add_file("shaky", "1.0", content=noise(MIB))
    upstream.befall(file, Fault(truncate_at=700_000, times=1))
    assert (await pinfold.get(address(file))).body == file.content
    first, second = upstream.requests_for(file)
    assert "Range" not in first.headers
    resumed_at = int(second.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < resumed_at <= 700_000


async def test_a_client_that_hangs_up_leaves_the_file_to_the_others(pinfold, upstream):
    size = 2 * MIB
    file = upstream.add_file("popular", "1.0", content=noise(size))
    upstream.befall(file, Fault(drip=(size // 8, 0.05)))
    other = asyncio.create_task(pinfold.get(address(file)))
    reader, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(f"GET {address(file)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.read(1000)
    writer.transport.abort()
    assert (await other).body == file.content
    assert len(upstream.requests_for(file)) == 1


async def test_a_client_that_hangs_up_is_in_the_audit_log_and_no_fault_of_the_server(pinfold, upstream, caplog):
    file = upstream.add_file("popular", "1.0", content=noise(4 * LARGE))
    assert (await pinfold.get(address(file))).body == file.content
    reader, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(f"GET {address(file)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.read(1000)
    writer.transport.abort()
    async with asyncio.timeout(20):
        while "file.broken-off" not in await actions(pinfold):
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("kept", [False, True], ids=["while it is fetched", "from here"])
async def test_a_client_that_goes_before_its_answer_begins_is_not_told_of_as_served_alone(pinfold, upstream, kept):
    file = upstream.add_file("popular", "1.0", content=noise(MIB))
    if kept:
        await pinfold.get(address(file))
    else:
        upstream.befall(file, Fault(drip=(MIB // 4, 0.2)))
    before = (await actions(pinfold)).count("file.served")
    _, writer = await asyncio.open_connection("127.0.0.1", pinfold.port)
    writer.write(f"GET {address(file)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    writer.close()
    async with asyncio.timeout(20):
        while (await actions(pinfold)).count("file.served") == before:
            await asyncio.sleep(0.01)
        while "file.broken-off" not in await actions(pinfold):
            await asyncio.sleep(0.01)


async def test_a_part_of_a_file_that_fails_before_its_length_is_known_is_not_told_of_as_served_alone(tmp_path):
    async with FakeUpstream(POOR) as upstream:
        file = upstream.add_file("odd", "1.0", content=noise(LARGE))
        upstream.befall(file, Fault(content=noise(LARGE - 1), unframed=True, drip=(LARGE // 4, 0.1)))
        overrides = {"upstreams.pypi.url": upstream.url, "indexes.main.policy": str(_lenient(tmp_path))}
        async with in_process(tmp_path / "data", overrides) as pinfold:
            assert (await pinfold.get(address(file), Range="bytes=0-9")).status == 502
            served, broken_off = await pinfold.audited()
            assert (served.action, broken_off.action) == ("file.served", "file.broken-off")
            assert broken_off.details["sent"] == 0


@pytest.mark.parametrize("kept", [False, True], ids=["while it is fetched", "from here"])
@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-99", 206, slice(0, 100)),
        ("bytes=-100", 206, slice(-100, None)),
        ("bytes=300000-", 206, slice(300000, None)),
        ("bytes=0-0,5-6", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=99999999-", 416, None),
    ],
)
async def test_ranges(pinfold, upstream, header, status, part, kept):
    file = upstream.add_file("ranged", "1.0", content=noise(400_000))
    if kept:
        await pinfold.get(address(file))
    answer = await pinfold.get(address(file), Range=header)
    assert answer.status == status
    if part is not None:
        assert answer.body == file.content[part]
    else:
        assert answer.headers["Content-Range"] == "bytes */400000"


async def test_a_range_counts_only_for_the_bytes_that_it_was_begun_with(pinfold, upstream):
    file = upstream.add_file("ranged", "1.0", content=noise(400_000))
    path = address(file)
    assert (await pinfold.get(path, Range="bytes=0-9", If_Range=f'"{file.sha256}"')).status == 206
    for other in ('"0"', f'W/"{file.sha256}"', "Sat, 21 Nov 2026 00:00:00 GMT"):
        assert (await pinfold.get(path, Range="bytes=0-9", If_Range=other)).status == 200


async def test_head_tells_the_length_and_gives_nothing(pinfold, upstream):
    file = upstream.add_file("six", "1.0", content=noise(1000))
    answer = await pinfold.get(address(file), "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "1000", b"")
    assert await actions(pinfold) == []


async def test_a_client_that_has_the_bytes_is_told_so_and_recorded(pinfold, upstream):
    file = upstream.add_file("six", "1.0")
    answer = await pinfold.get(address(file), If_None_Match=f'"{file.sha256}"')
    assert (answer.status, answer.body) == (304, b"")
    assert await actions(pinfold) == ["file.served"]


async def test_damaged_bytes_on_disk_are_found_out_and_fetched_again(upstream, overrides, tmp_path):
    file = upstream.add_file("six", "1.0", content=noise(MIB))
    async with in_process(tmp_path / "data", overrides) as pinfold:
        await pinfold.get(address(file))
        path = await pinfold.installation.blobs.find(file.sha256)
    path.chmod(0o600)
    path.write_bytes(b"\xff" + file.content[1:])
    async with in_process(tmp_path / "data", overrides) as pinfold:
        assert (await pinfold.get(address(file))).body == file.content
    assert len(upstream.requests_for(file)) == 2


@pytest.mark.parametrize("manners", [None, POOR], ids=["as PyPI", "poor"])
async def test_metadata_is_served_for_every_wheel_with_the_hash_that_is_advertised(tmp_path, manners):
    async with FakeUpstream() if manners is None else FakeUpstream(manners) as upstream:
        file = upstream.add_file("six", "1.0", requires_dist=["seven>=7"])
        overrides = {"upstreams.pypi.url": upstream.url, "indexes.main.policy": str(_lenient(tmp_path))}
        async with in_process(tmp_path / "data", overrides) as pinfold:
            page = await pinfold.get("/simple/six/", Accept="application/vnd.pypi.simple.v1+json")
            assert b'"core-metadata":true' in page.body or b'"core-metadata":{"sha256"' in page.body
            answer = await pinfold.get(address(file) + ".metadata")
            assert (answer.status, answer.body) == (200, file.metadata)
            page = await pinfold.get("/simple/six/", Accept="application/vnd.pypi.simple.v1+json")
            digest = hashlib.sha256(file.metadata).hexdigest()
            assert f'"core-metadata":{{"sha256":"{digest}"}}'.encode() in page.body


async def test_what_another_upstream_says_of_the_same_wheel_changes_no_metadata(tmp_path):
    async with FakeUpstream() as upstream, FakeUpstream() as other:
        file = upstream.add_file("six", "1.0")
        other.add_file("six", "1.0", content=file.content).metadata = file.metadata + b"Requires-Dist: evil\n"
        overrides = {
            "upstreams.pypi.url": upstream.url,
            "upstreams.other.url": other.url,
            "indexes.dev.upstreams": "other",
        }
        async with in_process(tmp_path / "data", overrides) as pinfold:
            assert b"evil" in (await pinfold.get(address(file, "dev") + ".metadata")).body
            assert (await pinfold.get(address(file) + ".metadata")).body == file.metadata
            page = await pinfold.get("/simple/six/", Accept="application/vnd.pypi.simple.v1+json")
            digest = hashlib.sha256(file.metadata).hexdigest()
            assert f'"core-metadata":{{"sha256":"{digest}"}}'.encode() in page.body


async def test_metadata_of_a_large_wheel_is_read_by_ranges_without_fetching_it(upstream, pinfold):
    upstream.manners = replace(upstream.manners, core_metadata=False)
    file = upstream.add_file("large", "1.0", files={"large/data.bin": noise(3 * MIB)})
    answer = await pinfold.get(address(file) + ".metadata")
    assert (answer.status, answer.body) == (200, file.metadata)
    assert all("Range" in request.headers for request in upstream.requests_for(file))
    assert await pinfold.installation.blobs.find(file.sha256) is None


async def test_a_wheel_without_metadata_is_no_longer_said_to_have_some(upstream, pinfold):
    upstream.manners = replace(upstream.manners, core_metadata=False)
    file = upstream.add_file("odd", "1.0", content=b"this is no zip archive" * 10)
    assert (await pinfold.get(address(file) + ".metadata")).status == 404
    page = await pinfold.get("/simple/odd/", Accept="application/vnd.pypi.simple.v1+json")
    assert b'"core-metadata":false' in page.body


def _lenient(folder):
    """A policy that judges by nothing that a poor index leaves out."""
    path = folder / "lenient.toml"
    path.write_text('name = "lenient"\n[[rule]]\nid = "quarantined"\n')
    return path
