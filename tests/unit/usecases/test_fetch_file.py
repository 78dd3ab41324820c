"""Bytes that are here are looked for once, and anew as soon as somebody touched them."""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from pinfold.adapters.filesystem.blobs import FileBlobs
from pinfold.domain.errors import FileMismatch, StoreError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.ports.upstream import Download
from pinfold.usecases.fetch_file import LARGEST_NEXT, FileFetcher
from pinfold.usecases.file_content import HELD_BACK

CONTENT = b"the bytes of a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = File("widget-1.0-py3-none-any.whl", "https://files.example/x", SHA256, FileKind.WHEEL, "1.0", size=len(CONTENT))


class Upstream:
    name = "pypi"

    def __init__(self):
        self.downloads = 0
        self.pieces, self.length = [CONTENT], len(CONTENT)
        self.go_on = asyncio.Event()
        self.go_on.set()

    @asynccontextmanager
    async def download(self, file):
        self.downloads += 1

        async def chunks():
            for piece in self.pieces:
                yield piece
                await self.go_on.wait()

        yield Download(self.length, chunks())


class Counting(FileBlobs):
    """Tells how often a blob was looked for, and read to be checked."""

    found = verified = 0

    async def find(self, sha256):
        self.found += 1
        return await super().find(sha256)

    async def verify(self, sha256):
        self.verified += 1
        return await super().verify(sha256)


class Silent:
    def looked_up(self, cache, *, hit):
        pass


class Setting:
    """A fetcher with a file that was brought in and asked for, so that it is open."""

    def __init__(self, folder: Path) -> None:
        (folder / "incoming").mkdir()
        self.blobs, self.upstream = Counting(folder / "blobs", folder / "incoming"), Upstream()
        self.fetcher = FileFetcher(self.blobs, Silent())

    async def begin(self) -> None:
        self.path = await self.fetcher.fetch_whole(self.upstream, FILE)
        while await self.fetcher.stored(SHA256) is None:
            # It is being made durable.
            await asyncio.sleep(0.001)
        # File systems tell times of their own clock, which may stand still for some milliseconds.
        await asyncio.sleep(0.02)
        self.blobs.found = self.blobs.verified = 0

    async def bytes(self) -> bytes:
        content = await self.fetcher.fetch(self.upstream, FILE)
        length = await content.whole()
        with content.open() as file:
            return os.pread(file.fileno(), length + 1, 0)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    setting = Setting(tmp_path)
    await setting.begin()
    yield setting
    await setting.fetcher.close()
    await setting.blobs.close()


async def test_what_nobody_touched_is_not_looked_for_again(setting: Setting) -> None:
    first = await setting.fetcher.fetch(setting.upstream, FILE)
    assert await setting.fetcher.fetch(setting.upstream, FILE) is first
    assert await setting.fetcher.stored(SHA256) is first
    assert (setting.blobs.found, setting.blobs.verified, setting.upstream.downloads) == (0, 0, 1)


async def test_what_was_removed_is_fetched_again_at_once(setting: Setting) -> None:
    setting.path.unlink()
    assert await setting.fetcher.stored(SHA256) is None
    assert await setting.bytes() == CONTENT
    assert setting.upstream.downloads == 2


async def test_what_another_process_set_aside_as_damaged_is_fetched_again_at_once(setting: Setting) -> None:
    setting.path.rename(setting.path.with_name(f"{SHA256}.damaged"))
    assert await setting.bytes() == CONTENT
    assert setting.upstream.downloads == 2


async def test_what_was_written_over_is_found_to_be_damaged(setting: Setting) -> None:
    setting.path.chmod(0o600)
    setting.path.write_bytes(CONTENT.swapcase())
    assert await setting.bytes() == CONTENT
    assert setting.upstream.downloads == 2


async def test_what_was_written_over_while_it_was_not_open_is_found_to_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.usecases.fetch_file.OPEN_AT_ONCE", 0)
    setting = Setting(tmp_path)
    await setting.begin()
    assert await setting.bytes() == CONTENT
    assert (setting.blobs.verified, setting.upstream.downloads) == (0, 1)
    setting.path.chmod(0o600)
    setting.path.write_bytes(CONTENT.swapcase())
    assert await setting.bytes() == CONTENT
    assert setting.upstream.downloads == 2
    await setting.fetcher.close()
    await setting.blobs.close()


async def test_what_cannot_be_opened_is_a_failure_of_the_store(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("pinfold.usecases.fetch_file.Stored", fail)
    anew = FileFetcher(setting.blobs, Silent())
    with pytest.raises(StoreError, match="Too many open files"):
        await anew.stored(SHA256)
    await anew.close()


async def test_what_was_touched_and_is_as_it_was_is_checked_once(setting: Setting) -> None:
    setting.path.chmod(0o400)
    for _ in range(3):
        assert await setting.bytes() == CONTENT
    assert (setting.blobs.verified, setting.upstream.downloads) == (1, 1)


async def test_what_is_touched_while_it_is_checked_is_checked_again(setting: Setting) -> None:
    setting.path.chmod(0o600)
    verify = setting.blobs.verify

    async def touched_meanwhile(sha256: str) -> bool:
        is_intact = await verify(sha256)
        setting.blobs.verify = verify  # type: ignore[method-assign]
        setting.path.write_bytes(CONTENT.swapcase())
        return is_intact

    setting.blobs.verify = touched_meanwhile  # type: ignore[method-assign]
    assert await setting.bytes() == CONTENT
    assert setting.upstream.downloads == 2


async def test_what_was_just_brought_in_is_not_looked_for_again(setting: Setting) -> None:
    setting.path.unlink()
    anew = FileFetcher(setting.blobs, Silent())
    await anew.fetch_whole(setting.upstream, FILE)
    before = setting.blobs.found
    while await anew.stored(SHA256) is None:
        await asyncio.sleep(0.001)
    assert (setting.upstream.downloads, setting.blobs.found, setting.blobs.verified) == (2, before, 0)
    await anew.close()


async def test_what_somebody_is_about_to_ask_for_is_opened_and_checked_ahead(setting: Setting) -> None:
    anew = FileFetcher(setting.blobs, Silent())
    for _ in range(3):
        anew.expect(FILE)
    while not setting.blobs.verified:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert await anew.stored(SHA256) is not None
    anew.expect(FILE)
    await asyncio.sleep(0.02)
    assert (setting.blobs.found, setting.blobs.verified) == (1, 1)
    await anew.close()


@pytest.mark.parametrize("size", [None, LARGEST_NEXT + 1])
async def test_a_large_file_is_not_read_before_somebody_asks_for_it(setting: Setting, size: int | None) -> None:
    anew = FileFetcher(setting.blobs, Silent())
    anew.expect(structs.replace(FILE, size=size))
    await asyncio.sleep(0.02)
    assert setting.blobs.found == 0
    await anew.close()


async def test_what_is_not_here_is_not_fetched_ahead(setting: Setting) -> None:
    setting.path.unlink()
    anew = FileFetcher(setting.blobs, Silent())
    anew.expect(FILE)
    while not setting.blobs.found:
        await asyncio.sleep(0.001)
    await anew.close()
    assert (setting.blobs.verified, setting.upstream.downloads) == (0, 1)


async def test_what_has_arrived_is_shown_while_more_is_to_come(setting: Setting) -> None:
    pieces = [b"1" * 100_000, b"2" * 100_000]
    file = structs.replace(FILE, sha256=hashlib.sha256(b"".join(pieces)).hexdigest(), size=200_000)
    setting.upstream.pieces, setting.upstream.length = pieces, 200_000
    setting.upstream.go_on.clear()
    fill = await setting.fetcher.fetch(setting.upstream, file)
    assert await fill.shown(0) == 100_000 - HELD_BACK
    setting.upstream.go_on.set()
    assert await fill.whole() == 200_000
    assert fill.path.read_bytes() == b"".join(pieces)


@pytest.mark.parametrize("length", [None, len(CONTENT)])
@pytest.mark.parametrize("pieces", [[CONTENT[:7], CONTENT[7:]], [CONTENT[:1], CONTENT[1:19], CONTENT[19:]]])
async def test_a_file_may_come_in_pieces_whether_its_length_is_announced_or_not(
    setting: Setting, pieces: list[bytes], length: int | None
) -> None:
    setting.path.unlink()
    setting.upstream.pieces, setting.upstream.length = pieces, length
    for size in (len(CONTENT), None):
        path = await setting.fetcher.fetch_whole(setting.upstream, structs.replace(FILE, size=size))
        assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("pieces", [[CONTENT, b"!"], [CONTENT[:-1], b"!"], [CONTENT + b"!"], [b"!", CONTENT]])
async def test_what_is_not_what_its_page_says_is_kept_by_nobody(setting: Setting, pieces: list[bytes]) -> None:
    setting.path.unlink()
    setting.upstream.pieces = pieces
    for length in (len(CONTENT), None):
        setting.upstream.length = length
        with pytest.raises(FileMismatch):
            await setting.fetcher.fetch_whole(setting.upstream, FILE)
    assert await setting.fetcher.stored(SHA256) is None
