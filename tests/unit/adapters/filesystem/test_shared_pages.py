"""Pages that workers make for each other: whole, of the same code, within a budget, and for nobody else to read."""

import pytest
from tests.fakes.clock import NOON

from pinfold.adapters.filesystem import shared_pages
from pinfold.adapters.filesystem.shared_pages import SharedPageFiles
from pinfold.domain.names import FileKind
from pinfold.domain.project import File
from pinfold.ports.shared_pages import SharedPage

WHEEL = File("six-1.0-py3-none-any.whl", "https://files.example/six", "1" * 64, FileKind.WHEEL, "1.0", 9, NOON)


def a_page(body=b"<!doctype html>"):
    return SharedPage(body, '"etag"', NOON, changes_at=None, is_unopposed=True, to_verify=(WHEEL,))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pages"


@pytest.fixture
def pages(folder):
    return SharedPageFiles(folder)


async def test_what_was_kept_is_found_by_others_by_what_it_was_made_of(pages, folder):
    assert await pages.find("this") is None
    await pages.keep("this", a_page())
    assert await SharedPageFiles(folder).find("this") == a_page()
    assert await pages.find("that") is None


async def test_a_page_takes_the_place_of_the_one_before(pages, folder):
    for body in (b"first", b"second"):
        await pages.keep("this", a_page(body))
    assert await pages.find("this") == a_page(b"second")
    assert len(list(folder.iterdir())) == 1


async def test_only_their_owner_can_read_them(pages, folder):
    await pages.keep("this", a_page())
    (file,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


async def test_what_other_code_made_is_not_found(pages, monkeypatch):
    await pages.keep("this", a_page())
    monkeypatch.setattr(shared_pages, "_CODE", b"another version of Pinfold, or the next start")
    assert await pages.find("this") is None


@pytest.mark.parametrize("place", [0, 31, 32, 60, -1])
async def test_one_byte_that_changed_makes_a_page_none(pages, folder, place):
    await pages.keep("this", a_page())
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert await pages.find("this") is None


@pytest.mark.parametrize("length", [0, 5, 32, 50])
async def test_part_of_a_page_is_none(pages, folder, length):
    await pages.keep("this", a_page())
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    assert await pages.find("this") is None


async def test_the_oldest_make_room(folder):
    pages = SharedPageFiles(folder, budget=5000)
    for name in ("first", "second", "third"):
        await pages.keep(name, a_page(bytes(2000)))
    assert [await pages.find(name) is not None for name in ("first", "second", "third")] == [False, True, True]
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 5000


async def test_what_has_no_room_at_all_drives_nothing_out(folder):
    pages = SharedPageFiles(folder, budget=5000)
    await pages.keep("small", a_page())
    await pages.keep("large", a_page(bytes(5000)))
    assert await pages.find("large") is None
    assert await pages.find("small") is not None


async def test_a_folder_that_cannot_be_had_keeps_nothing_and_disturbs_nobody(folder):
    folder.write_bytes(b"something else")
    pages = SharedPageFiles(folder)
    await pages.keep("this", a_page())
    assert await pages.find("this") is None
