import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.domain.errors import FileMismatch, UpstreamError
from pinfold.usecases.file_content import HELD_BACK, Fill, Stored, Unvouched


async def read(content, expected):
    """Read a content to its end as a client would, and check that nothing came before it might."""
    received = b""
    await content.started()
    with content.open() as file:
        while (shown := await content.shown(len(received))) > len(received):
            file.seek(len(received))
            received += file.read(shown - len(received))
            assert expected.startswith(received)
    return received


@given(st.lists(st.integers(1, 2 * HELD_BACK), min_size=1, max_size=6))
def test_readers_that_follow_a_fill_get_all_of_it_and_the_last_block_only_when_it_is_whole(tmp_path_factory, sizes):
    path = tmp_path_factory.mktemp("fill") / "incoming"
    content = bytes(range(256)) * (sum(sizes) // 256 + 1)
    content = content[: sum(sizes)]

    async def scenario():
        fill, written, shown = Fill(), 0, []
        fill.begin(path, len(content))
        readers = [asyncio.create_task(read(fill, content)) for _ in range(3)]
        with path.open("wb", buffering=0) as file:
            for size in sizes:
                file.write(content[written : written + size])
                written += size
                fill.advance(size)
                shown.append((written, await asyncio.wait_for(fill.shown(-1), 1)))
                await asyncio.sleep(0)
        fill.finish(path)
        assert all(end == max(written - HELD_BACK, 0) for written, end in shown)
        assert await asyncio.gather(*readers) == [content] * 3

    path.touch()
    asyncio.run(scenario())


async def test_readers_learn_what_went_wrong_whenever_they_come(tmp_path):
    fill = Fill()
    fill.begin(tmp_path / "incoming", None)
    early = asyncio.create_task(fill.whole())
    await asyncio.sleep(0)
    fill.fail(FileMismatch("other bytes"))
    for waiting in (early, fill.started(), fill.whole(), fill.shown(0)):
        with pytest.raises(FileMismatch, match="other bytes"):
            await waiting


async def test_a_fill_that_fails_before_its_first_byte_fails_those_who_wait_for_it():
    fill = Fill()
    waiting = asyncio.create_task(fill.started())
    await asyncio.sleep(0)
    fill.fail(UpstreamError("down"))
    with pytest.raises(UpstreamError, match="down"):
        await waiting


async def test_a_reader_that_opens_late_finds_the_file_at_its_final_place(tmp_path):
    incoming, final = tmp_path / "incoming", tmp_path / "final"
    incoming.write_bytes(b"x" * 10)
    fill = Fill()
    fill.begin(incoming, 10)
    fill.advance(10)
    incoming.rename(final)
    fill.finish(final)
    assert await read(fill, b"x" * 10) == b"x" * 10
    assert fill.length == 10


async def test_where_a_file_has_its_final_name_before_that_is_heard_of_its_reader_waits_beside_the_event_loop(tmp_path):
    incoming, final = tmp_path / "incoming", tmp_path / "final"
    incoming.write_bytes(b"x" * 10)
    fill = Fill()
    fill.begin(incoming, 10)
    fill.advance(10)
    with fill.open_at_once() as file:
        assert file.read() == b"x" * 10
    incoming.rename(final)
    assert fill.open_at_once() is None
    opening = asyncio.create_task(asyncio.to_thread(fill.open))
    await asyncio.sleep(0)
    fill.finish(final)
    with await opening as file:
        assert file.read() == b"x" * 10


async def test_what_comes_in_quick_succession_is_announced_together_and_none_of_it_is_forgotten(tmp_path):
    fill, pieces = Fill(), 1000
    fill.begin(tmp_path / "arriving", None)
    shown = [0]

    async def follow():
        while shown[-1] < pieces:
            shown.append(await fill.shown(shown[-1]))

    following = asyncio.create_task(follow())
    fill.advance(HELD_BACK)
    for _ in range(pieces):
        fill.advance(1)
        await asyncio.sleep(0)
    # The end has not come, and may never: what is here has to be shown all the same.
    await asyncio.wait_for(following, 5)
    assert shown[-1] == pieces
    assert len(shown) < pieces / 2


async def test_a_stored_file_stays_open_until_nobody_needs_it(tmp_path):
    path = tmp_path / "wheel"
    path.write_bytes(b"x" * 10)
    stored = Stored(path)
    path.unlink()
    with stored.open() as first, stored.open_at_once() as again:
        assert first.read() == b"x" * 10
        assert os.pread(again.fileno(), 20, 0) == b"x" * 10
    descriptor = stored.fileno()
    del stored
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("wheel.damaged")),
        lambda path: path.with_name("another").rename(path),
        lambda path: path.write_bytes(b"y" * 10),
        lambda path: os.truncate(path, 20),
    ],
    ids=["removed", "renamed", "replaced", "overwritten", "longer"],
)
async def test_a_stored_file_that_somebody_touched_is_told_from_one_that_is_as_it_was(tmp_path, touch):
    path = tmp_path / "wheel"
    path.write_bytes(b"x" * 10)
    path.with_name("another").write_bytes(b"x" * 10)
    stored = Stored(path)
    with stored.open() as file:
        file.read()
    assert stored.is_untouched
    # File systems tell times of their own clock, which may stand still for some milliseconds.
    await asyncio.sleep(0.02)
    touch(path)
    assert not stored.is_untouched


async def test_a_stored_file_is_shown_whole_at_once(tmp_path):
    path = tmp_path / "blob"
    path.write_bytes(b"content")
    stored = Stored(path)
    assert await read(stored, b"content") == b"content"
    assert await stored.whole() == 7


@pytest.mark.parametrize("announced", [True, False], ids=["length announced", "length unknown"])
@pytest.mark.parametrize("size", [1, HELD_BACK, HELD_BACK + 1, 3 * HELD_BACK])
async def test_the_last_block_is_shown_once_somebody_vouched_for_the_whole(tmp_path, size, announced):
    path, content, vouched, asked = tmp_path / "whole", bytes(size), asyncio.Event(), []

    async def vouch():
        asked.append(fill.is_whole)
        await vouched.wait()

    fill = Fill()
    path.write_bytes(content)
    fill.begin(path, size if announced else None)
    unvouched = Unvouched(fill, vouch)
    reader = asyncio.create_task(read(unvouched, content))
    fill.advance(size)
    await asyncio.sleep(0)
    assert asked == []
    fill.finish(path)
    shown = max(size - HELD_BACK, 0)
    other = Unvouched(fill, vouch)
    assert shown == 0 or await other.shown(-1) == shown
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(other.shown(shown), 0.01)
    vouched.set()
    assert await reader == content
    assert all(asked)


async def test_what_is_held_against_the_whole_reaches_every_reader(tmp_path):
    async def vouch():
        raise UpstreamError("it is refused")

    fill, path = Fill(), tmp_path / "whole"
    path.write_bytes(bytes(2 * HELD_BACK))
    fill.begin(path, 2 * HELD_BACK)
    fill.advance(2 * HELD_BACK)
    fill.finish(path)
    unvouched = Unvouched(fill, vouch)
    assert await unvouched.shown(0) == HELD_BACK
    for beyond in (HELD_BACK, 2 * HELD_BACK - 1):
        with pytest.raises(UpstreamError):
            await unvouched.shown(beyond)


async def test_bytes_of_the_last_block_leave_one_by_one_where_vouching_takes_long(tmp_path, monkeypatch):
    monkeypatch.setattr("pinfold.usecases.file_content.STANDING_STILL", 0.001)
    path, vouched = tmp_path / "whole", asyncio.Event()
    path.write_bytes(bytes(2 * HELD_BACK))
    unvouched = Unvouched(Stored(path), vouched.wait)
    shown = [await unvouched.shown(HELD_BACK + count) for count in range(5)]
    assert shown == [HELD_BACK + count + 1 for count in range(5)]
    most = 2 * HELD_BACK - HELD_BACK // 2 - 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(unvouched.shown(most), 0.05)


async def test_a_reader_that_goes_leaves_nobody_vouching_for_it(tmp_path):
    path, ended = tmp_path / "whole", asyncio.Event()
    path.write_bytes(bytes(10))

    async def vouch():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    reader = asyncio.create_task(Unvouched(Stored(path), vouch).shown(0))
    await asyncio.sleep(0.01)
    reader.cancel()
    await asyncio.wait_for(ended.wait(), 1)
