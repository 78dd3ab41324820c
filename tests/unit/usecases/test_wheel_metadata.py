"""What may be read out of a wheel, by ranges or whole, and what a hostile one gets."""

import asyncio
import hashlib
import io
import zipfile
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace
from tests.fakes.blobs import FakeBlobs
from tests.fakes.catalog import FakeCatalog
from tests.fakes.upstream import build_sdist, build_wheel

from pinfold.domain.errors import NotFound, StoreError, UpstreamError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.ports.upstream import Download
from pinfold.usecases import wheel_metadata as module
from pinfold.usecases.fetch_file import FileFetcher
from pinfold.usecases.present import Present
from pinfold.usecases.wheel_metadata import MAX_METADATA, WheelMetadata


class Upstream:
    """Has one file, and may serve ranges and metadata of it."""

    name = "pypi"

    def __init__(self, content, *, ranges=True, metadata=None):
        self.content, self.ranges, self.offered = content, ranges, metadata
        self.read, self.downloads = 0, 0

    async def metadata(self, file):
        return self.offered

    async def read_range(self, file, first, last):
        if not self.ranges:
            raise UpstreamError("no ranges here")
        part = self.content[first:] if first < 0 else self.content[first : last + 1]
        self.read += len(part)
        return part, len(self.content)

    @asynccontextmanager
    async def download(self, file, first=0):
        self.downloads += 1

        async def chunks():
            yield self.content

        yield Download(len(self.content), chunks())


class Silent:
    def looked_up(self, cache, *, hit):
        pass


@pytest.fixture
def present():
    return Present()


@pytest.fixture
async def metadata(tmp_path, present):
    catalog, blobs = FakeCatalog(), FakeBlobs(tmp_path)
    fetcher = FileFetcher(blobs, Silent())
    metadata = WheelMetadata(catalog, fetcher, present)
    yield metadata
    await metadata.close()
    await fetcher.close()


def wheel(content, version="1.0"):
    name = f"six-{version}-py3-none-any.whl"
    return File(name, f"https://files.example/{name}", hashlib.sha256(content).hexdigest(), FileKind.WHEEL, version)


def archive(compression=zipfile.ZIP_DEFLATED, **members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as out:
        for name, content in members.items():
            out.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def damaged(content):
    """Return an archive whose first entry, of a name of 26 bytes, is damaged shortly behind its beginning."""
    begin = 30 + 26 + 12
    return content[:begin] + bytes(255 - byte for byte in content[begin : begin + 8]) + content[begin + 8 :]


async def test_metadata_is_read_by_ranges_without_the_rest_of_the_wheel(metadata):
    content = build_wheel("six", "1.0", requires_dist=["seven"], files={"six/data": bytes(5_000_000)})
    upstream = Upstream(content)
    found = await metadata.get(upstream, "six", wheel(content))
    assert b"Requires-Dist: seven" in found
    assert upstream.downloads == 0
    assert upstream.read < 300_000


async def test_without_ranges_the_wheel_is_fetched_whole_once(metadata):
    content = build_wheel("six", "1.0")
    upstream = Upstream(content, ranges=False)
    assert b"Name: six" in await metadata.get(upstream, "six", wheel(content))
    assert b"Name: six" in await metadata.get(upstream, "six", wheel(content))
    assert upstream.downloads == 1


async def test_what_damage_left_of_a_wheel_is_not_read(tmp_path):
    content, blobs = build_wheel("six", "1.0"), FakeBlobs(tmp_path)
    upstream = Upstream(content, ranges=False)
    (tmp_path / blobs.put(content)).write_bytes(b"")
    fetcher = FileFetcher(blobs, Silent())
    metadata = WheelMetadata(FakeCatalog(), fetcher, Present())
    assert b"Name: six" in await metadata.get(upstream, "six", wheel(content))
    assert upstream.downloads == 1
    await metadata.close()
    await fetcher.close()


async def test_what_the_upstream_offers_is_taken_as_it_is(metadata):
    content = build_wheel("six", "1.0")
    file = wheel(content)
    offered = await metadata.get(Upstream(content, metadata=b"offered"), "six", replace(file, core_metadata=True))
    assert offered == b"offered"


async def test_many_at_once_read_it_once_and_the_hash_is_known_afterwards(metadata):
    content = build_wheel("six", "1.0")
    upstream, file = Upstream(content), wheel(content)
    assert await metadata.known("six") == {}
    answers = await asyncio.gather(*(metadata.get(upstream, "six", file) for _ in range(20)))
    assert len(set(answers)) == 1
    assert upstream.read <= len(content) + 65536
    assert list(await metadata.known("six")) == [file.sha256]


@pytest.mark.parametrize(
    "content",
    [
        b"no archive at all",
        b"",
        archive(readme="x"),
        archive(**{"other-1.0.dist-info__METADATA": "Name: other"}),
        archive(**{"six-2.0.dist-info__METADATA": "Name: six"}),
        archive(**{"deep__six-1.0.dist-info__METADATA": "Name: six"}),
        archive(**{"six-1.0.dist-info__METADATA": "a", "Six-1.0.dist-info__METADATA": "b"}),
        archive(**{"six-1.0.dist-info__METADATA": bytes(MAX_METADATA + 1)}),
        build_wheel("six", "1.0")[:-30],
        damaged(archive(zipfile.ZIP_LZMA, **{"six-1.0.dist-info__METADATA": "Name: six" * 99})),
    ],
    ids=["text", "empty", "none", "other project", "other version", "nested", "two", "bomb", "truncated", "lzma"],
)
@pytest.mark.parametrize("ranges", [True, False])
async def test_a_wheel_that_has_no_metadata_to_trust_has_none(metadata, content, ranges):
    upstream, file = Upstream(content, ranges=ranges), wheel(content)
    for _ in range(2):
        with pytest.raises(NotFound):
            await metadata.get(upstream, "six", file)
    assert await metadata.known("six") == {file.sha256: None}


async def test_a_failing_upstream_is_not_taken_for_a_wheel_without_metadata(metadata):
    class Down(Upstream):
        @asynccontextmanager
        async def download(self, file, first=0):
            raise UpstreamError("down")
            yield

    content = build_wheel("six", "1.0")
    with pytest.raises(UpstreamError, match="down"):
        await metadata.get(Down(content, ranges=False), "six", wheel(content))
    assert await metadata.known("six") == {}


async def test_an_sdist_has_no_metadata_of_its_own(metadata):
    content = build_sdist("six", "1.0")
    file = File("six-1.0.tar.gz", "https://files.example/six-1.0.tar.gz", "a" * 64, FileKind.SDIST, "1.0")
    with pytest.raises(NotFound, match="no wheel"):
        await metadata.get(Upstream(content), "six", file)


async def test_a_wheel_that_changes_its_length_between_two_ranges_is_not_read(metadata):
    class Growing(Upstream):
        async def read_range(self, file, first, last):
            self.content += b"x"
            return await super().read_range(file, first, last)

    content = build_wheel("six", "1.0", files={"six/data": bytes(300_000)})
    upstream = Growing(content)
    with pytest.raises((UpstreamError, NotFound)):
        await metadata.get(upstream, "six", wheel(content))


class Hesitant(FakeCatalog):
    """Takes nothing before it is told to."""

    def __init__(self):
        super().__init__()
        self.may_go_on = asyncio.Event()

    async def remember_metadata(self, project, wheel, metadata):
        await self.may_go_on.wait()
        await super().remember_metadata(project, wheel, metadata)


async def test_nobody_waits_for_metadata_to_be_kept(tmp_path):
    catalog, blobs = Hesitant(), FakeBlobs(tmp_path)
    fetcher = FileFetcher(blobs, Silent())
    metadata = WheelMetadata(catalog, fetcher, Present())
    content = b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\n"
    digest = hashlib.sha256(content).hexdigest()
    file = replace(wheel(b"its bytes"), core_metadata=digest)
    assert await metadata.get(Upstream(b"", metadata=content), "six", file) == content
    # What was not kept yet is neither forgotten nor asked for again.
    assert await metadata.get(Upstream(b""), "six", file) == content
    assert await catalog.metadata_digests("six") == {}
    catalog.may_go_on.set()
    async with asyncio.timeout(5):
        while not await catalog.metadata_digests("six"):
            await asyncio.sleep(0.001)
    assert await catalog.metadata_digests("six") == {file.sha256: digest}
    assert await catalog.metadata(digest) == content
    await metadata.close()
    await fetcher.close()


class FullDisk(FakeCatalog):
    async def remember_metadata(self, project, wheel, metadata):
        raise StoreError("the disk is full")


async def test_metadata_that_cannot_be_kept_is_served_all_the_same(tmp_path, caplog):
    catalog, fetcher = FullDisk(), FileFetcher(FakeBlobs(tmp_path), Silent())
    metadata = WheelMetadata(catalog, fetcher, Present())
    content = b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\n"
    file = replace(wheel(b"its bytes"), core_metadata=hashlib.sha256(content).hexdigest())
    assert await metadata.get(Upstream(b"", metadata=content), "six", file) == content
    async with asyncio.timeout(5):
        while "the disk is full" not in caplog.text:
            await asyncio.sleep(0.001)
    assert await catalog.metadata_digests("six") == {}
    await metadata.close()
    await fetcher.close()


@pytest.mark.parametrize(
    "damage", [lambda contents, digest: contents.clear(), lambda contents, digest: contents.update({digest: b"x"})]
)
async def test_metadata_that_the_catalog_lost_is_fetched_again(tmp_path, damage):
    catalog, fetcher = FakeCatalog(), FileFetcher(FakeBlobs(tmp_path), Silent())
    content = b"Metadata-Version: 2.1\nName: six\nVersion: 1.0\n"
    file = replace(wheel(b"its bytes"), core_metadata=hashlib.sha256(content).hexdigest())
    await catalog.remember_metadata("six", file.sha256, content)
    restarted = WheelMetadata(catalog, fetcher, Present())
    assert await restarted.get(Upstream(b""), "six", file) == content
    damage(catalog.contents, file.core_metadata)
    # What was served stays in memory.
    assert await restarted.get(Upstream(b""), "six", file) == content
    await restarted.close()
    restarted = WheelMetadata(catalog, fetcher, Present())
    assert await restarted.get(Upstream(b"", metadata=content), "six", file) == content
    async with asyncio.timeout(5):
        while await catalog.metadata(file.core_metadata) != content:
            await asyncio.sleep(0.001)
    await restarted.close()
    await fetcher.close()


async def test_what_is_found_out_changes_the_present_and_what_is_asked_for_again_does_not(metadata, present):
    content = build_wheel("six", "1.0")
    assert await metadata.known("six") == {}
    assert present.revision == 0
    for _ in range(2):
        await metadata.get(Upstream(content), "six", wheel(content))
        await metadata.known("six")
        assert present.revision == 1


async def test_what_others_found_out_long_ago_changes_nothing_when_it_is_read_again(tmp_path, monkeypatch):
    catalog, fetcher, present = FakeCatalog(), FileFetcher(FakeBlobs(tmp_path), Silent()), Present()
    monkeypatch.setattr(module, "WHEELS_IN_MEMORY", 3)
    metadata = WheelMetadata(catalog, fetcher, present)
    for project in ("six", "idna"):
        await catalog.remember_metadata(project, wheel(project.encode()).sha256, b"Metadata-Version: 2.1")
    # There is no room for both: whoever asks for one after the other would have no answer stand.
    for _ in range(3):
        for project in ("six", "idna"):
            assert len(await metadata.known(project)) == 1
    assert present.revision == 0
    await metadata.close()
    await fetcher.close()
