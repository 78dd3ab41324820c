"""Pages that are long, or that were made to take long: refused beyond a bound, and understood beside the event loop."""

import gzip
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.upstream import FakeUpstream, Fault
from tests.fakes.upstream.reading import page_of
from tests.unit.adapters.upstream.conftest import Connect

from pinfold.adapters.upstream import client
from pinfold.domain.errors import UpstreamError

PAGE = "/simple/litellm/"
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


async def test_a_page_that_is_too_large_is_refused_by_what_it_announces(index: FakeUpstream, connect: Connect) -> None:
    index.befall(PAGE, Fault(status=200, headers={**JSON, "Content-Length": "100001"}))
    with pytest.raises(UpstreamError, match="larger than 100000 bytes"):
        await connect(index.url, max_page_bytes=100_000).project("litellm", None)


async def test_a_page_that_is_too_large_is_refused_by_what_comes(index: FakeUpstream, connect: Connect) -> None:
    index.befall(PAGE, Fault(status=200, headers=JSON, content=b" " * 100_001, unframed=True))
    with pytest.raises(UpstreamError, match="larger than 100000 bytes"):
        await connect(index.url, max_page_bytes=100_000).project("litellm", None)


async def test_a_page_that_unpacks_to_too_much_is_refused(index: FakeUpstream, connect: Connect) -> None:
    bomb = gzip.compress(bytes(5_000_000))
    index.befall(PAGE, Fault(status=200, headers={**JSON, "Content-Encoding": "gzip"}, content=bomb))
    with pytest.raises(UpstreamError, match="unpacks to more than 100000 bytes"):
        await connect(index.url, max_page_bytes=100_000).project("litellm", None)


async def test_a_large_page_is_understood_too(index: FakeUpstream, connect: Connect) -> None:
    for number in range(400):
        index.add_file("litellm", f"1.{number}", content=b"%d" % number)
    index.manners = replace(index.manners, gzip=False)
    assert len((await page_of(connect(index.url), "litellm")).project.files) == 400


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What was worked out beside the event loop."""
    moved: list[Callable[[], Any]] = []

    async def beside_the_loop(work: Callable[[], Any]) -> Any:
        moved.append(work)
        return work()

    monkeypatch.setattr(client, "beside_the_loop", beside_the_loop)
    return moved


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize(("files", "expected"), [(1, 0), (400, 1)])
async def test_large_pages_do_not_hold_up_the_event_loop(
    index: FakeUpstream, connect: Connect, moved: list[Callable[[], Any]], gzipped: bool, files: int, expected: int
) -> None:
    for number in range(files):
        index.add_file("litellm", f"1.{number}", content=b"%d" % number)
    index.manners = replace(index.manners, gzip=gzipped)
    assert len((await page_of(connect(index.url), "litellm")).project.files) == files
    assert len(moved) == expected


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"<a>" * 20_000, {"Content-Type": "text/html", "Content-Encoding": ""}),
        (b'{"name": "litellm", "files": [%s]}' % b",".join([b"0"] * 20_000), JSON | {"Content-Encoding": ""}),
        (gzip.compress(b"") * 3_000, JSON | {"Content-Encoding": "gzip"}),
    ],
    ids=["tags", "entries that are none", "parts that hold nothing"],
)
async def test_nor_do_short_ones_that_were_made_to_take_long(
    index: FakeUpstream, connect: Connect, moved: list[Callable[[], Any]], content: bytes, headers: dict[str, str]
) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(content=content, headers=headers))
    with suppress(UpstreamError):
        await page_of(connect(index.url), "litellm")
    assert len(moved) == 1
