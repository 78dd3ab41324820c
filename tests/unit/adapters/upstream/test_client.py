import asyncio
import hashlib
import json
import re
from dataclasses import replace

import pytest
from msgspec import structs
from tests.fakes.upstream import FakeUpstream, Fault
from tests.fakes.upstream.names import FakeNames
from tests.fakes.upstream.reading import entry_of, page_of, read
from tests.unit.adapters.upstream.conftest import Connect

from pinfold.domain.errors import FileMismatch, UpstreamError
from pinfold.domain.project import File
from pinfold.ports.upstream import Page, Unchanged, Validators
from pinfold.usecases.wheel_metadata import MAX_METADATA

PAGE = "/simple/litellm/"
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


async def test_json_is_asked_for_first_and_html_taken_for_want_of_it(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    await page_of(connect(index.url), "litellm")
    headers = index.requests[0].headers
    assert headers["Accept"] == (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
    )
    assert headers["User-Agent"].startswith("pinfold/")
    assert headers["Accept-Encoding"] == "gzip"
    assert "Authorization" not in headers
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        (Fault(status=200, content=b"{", headers=JSON), "not a page that can be understood"),
        (Fault(status=200, content=b"<!DOCTYPE html><html></html>", headers=JSON), "not a page that can be understood"),
        (Fault(status=200, content=b"[" * 100_000, headers=JSON), "not a page that can be understood"),
        (
            Fault(status=200, content=b'{"name": "other", "files": []}', headers=JSON),
            "not a page that can be understood",
        ),
        (Fault(status=200, content=b"\xff\xfe", headers=JSON), "not a page that can be understood"),
        (Fault(status=200, content=b"", headers=JSON), "not a page that can be understood"),
        (Fault(status=200, content=b"", headers={"Content-Type": "text/html"}), "not a page that can be understood"),
        (Fault(status=200, content=b"hello", headers={"Content-Type": "text/plain"}), "not a simple page"),
        (Fault(truncate_at=100), "the answer is truncated"),
        (Fault(headers={"Content-Length": "100000"}), "the answer is truncated"),
        (Fault(headers={"Content-Length": "100"}), "not HTTP|gzip"),
        (Fault(headers={"Content-Length": "minus one"}), "not HTTP"),
        (Fault(unframed=True, truncate_at=100), "gzip"),
        (Fault(raw=b"SSH-2.0-OpenSSH_9.9\r\n"), "not HTTP"),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000), "not HTTP"),
        (Fault(raw=b""), "the connection was lost"),
        (Fault(reset=True), "the connection was lost"),
        (Fault(status=304, content=b""), "answered 304"),
        (Fault(status=206), "answered 206"),
        (Fault(status=302), "answered 302 without a usable Location"),
        (Fault(redirect_to=PAGE), "redirected more than 5 times"),
        (Fault(redirect_to="http://[oops/"), "without a usable Location"),
    ],
    ids=repr,
)
async def test_every_bad_answer_is_told_in_one_line(
    index: FakeUpstream, connect: Connect, fault: Fault, happened: str
) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, fault)
    with pytest.raises(UpstreamError) as raised:
        await connect(index.url, retries=1).project("litellm", None)
    message = str(raised.value)
    assert message.startswith(f"pypi: {index.origin}{PAGE}: ")
    assert re.search(happened, message)
    assert message.isprintable()


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_a_refused_upstream_names_the_cure(index: FakeUpstream, connect: Connect, status: int) -> None:
    index.befall(PAGE, Fault(status=status))
    with pytest.raises(UpstreamError, match="check the upstream's username and password"):
        await connect(index.url).project("litellm", None)
    assert len(index.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault(status=429), Fault(status=502), Fault(status=503), Fault(status=504), Fault(truncate_at=100),
     Fault(reset=True), Fault(delay=2)],
    ids=repr,
)  # fmt: skip
async def test_what_may_be_gone_by_the_next_attempt_is_tried_again(
    index: FakeUpstream, connect: Connect, fault: Fault
) -> None:
    index.add_file("litellm", "1.82.6")
    # A connection that breaks before its first answer is tried once more by the HTTP library itself.
    index.befall(PAGE, replace(fault, times=2))
    page = await page_of(connect(index.url, connect_timeout=0.1, idle_timeout=0.1), "litellm")
    assert len(page.project.files) == 1
    assert len(index.requests_for(PAGE)) == 3


@pytest.mark.parametrize("status", [400, 403, 418, 500, 501])
async def test_what_will_be_the_same_next_time_is_not_tried_again(
    index: FakeUpstream, connect: Connect, status: int
) -> None:
    index.befall(PAGE, Fault(status=status))
    with pytest.raises(UpstreamError):
        await connect(index.url).project("litellm", None)
    assert len(index.requests) == 1


async def test_retries_end(index: FakeUpstream, connect: Connect) -> None:
    index.befall(PAGE, Fault(status=503))
    with pytest.raises(UpstreamError, match="answered 503"):
        await connect(index.url, retries=2).project("litellm", None)
    assert len(index.requests) == 3


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"])
async def test_a_long_pause_that_is_asked_for_is_not_sat_out(index: FakeUpstream, connect: Connect, asked: str) -> None:
    index.befall(PAGE, Fault(status=429, headers={"Retry-After": asked}))
    with pytest.raises(UpstreamError, match="answered 429"):
        await connect(index.url).project("litellm", None)
    assert len(index.requests) == 1


@pytest.mark.parametrize("asked", ["0", "Fri, 31 Dec 1999 23:59:59 GMT", "soon", "-5", "²"])
async def test_other_pauses_do_not_keep_from_trying_again(index: FakeUpstream, connect: Connect, asked: str) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(status=503, headers={"Retry-After": asked}, times=1))
    await page_of(connect(index.url), "litellm")
    assert len(index.requests) == 2


async def test_nobody_listens(connect: Connect) -> None:
    async with FakeUpstream() as gone:
        url = gone.url
    with pytest.raises(UpstreamError, match=r"^pypi: http://127\.0\.0\.1:\d+/simple/litellm/: cannot connect: "):
        await connect(url, retries=1).project("litellm", None)


async def test_a_name_that_does_not_resolve(connect: Connect) -> None:
    names = FakeNames({})
    upstream = connect("http://index.example/simple/", retries=1, resolver=names)
    with pytest.raises(UpstreamError, match="its host name cannot be resolved"):
        await upstream.project("litellm", None)
    assert len(names.asked) == 2


@pytest.mark.parametrize("fault", [Fault(delay=3), Fault(drip=(1, 0.05)), Fault(drip_headers=0.05)], ids=repr)
async def test_a_page_that_takes_too_long_is_given_up(index: FakeUpstream, connect: Connect, fault: Fault) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, fault)
    upstream = connect(index.url, total_timeout=0.3, connect_timeout=0.1, idle_timeout=0.1)
    async with asyncio.timeout(2):
        with pytest.raises(UpstreamError, match=r"no whole answer in 0\.3 s"):
            await upstream.project("litellm", None)


async def test_headers_that_drip_are_not_waited_for(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(drip_headers=0.05))
    with pytest.raises(UpstreamError, match="no answer in time"):
        await connect(index.url, connect_timeout=0.1, idle_timeout=0.1, retries=0).project("litellm", None)


async def test_cookies_are_not_kept(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    index.befall(PAGE, Fault(headers={"Set-Cookie": "session=x; Path=/"}))
    # HTTP libraries keep no cookies of bare addresses anyway.
    names = FakeNames({"index.example": ["127.0.0.1"]})
    upstream = connect(index.url.replace("127.0.0.1", "index.example"), resolver=names)
    await page_of(upstream, "litellm")
    await page_of(upstream, "litellm")
    assert [request.headers.get("Cookie") for request in index.requests] == [None, None]


async def test_a_page_is_not_fresh_for_longer_than_it_says(index: FakeUpstream, connect: Connect) -> None:
    index.add_file("litellm", "1.82.6")
    upstream = connect(index.url)
    first = await page_of(upstream, "litellm")
    index.befall(PAGE, Fault(headers={"Cache-Control": "no-cache"}))
    again = await upstream.project("litellm", first.validators)
    assert isinstance(again, Unchanged)
    assert again.max_age is not None
    assert not again.max_age


@pytest.mark.parametrize("tampered", ['"x"\r\nX-Injected: yes', '"x"\0', '"\udcff"'])
async def test_validators_that_were_tampered_with_do_not_split_requests(
    index: FakeUpstream, connect: Connect, tampered: str
) -> None:
    index.add_file("litellm", "1.82.6")
    page = await connect(index.url).project("litellm", Validators(etag=tampered, last_modified=tampered))
    assert isinstance(page, Page)
    assert {"If-None-Match", "If-Modified-Since", "X-Injected"}.isdisjoint(index.requests[0].headers)


# Ranges and metadata.


async def file_of(index: FakeUpstream, connect: Connect) -> File:
    return await entry_of(connect(index.url), index.add_file("litellm", "1.82.6", content=bytes(range(100))))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=206, headers={"Content-Range": "bytes 11-20/100"}),
        Fault(status=206, headers={"Content-Range": "bytes 10-19/*"}),
        Fault(status=206, headers={"Content-Range": ""}),
        Fault(status=206, headers={"Content-Range": "bytes 10-18/100"}, content=b"123456789"),
        Fault(status=206, content=b"12345"),
        Fault(status=206, content=b"12345678901"),
        Fault(status=206, headers={"Content-Encoding": "gzip"}),
        Fault(status=206, headers={"Content-Type": "multipart/byteranges; boundary=x", "Content-Range": ""}),
        Fault(status=200),
        Fault(status=200, headers={"Content-Range": ""}, content=bytes(range(100))),
        Fault(status=416, content=b""),
        Fault(truncate_at=5),
    ],
    ids=repr,
)
async def test_other_ranges_than_were_asked_for_are_refused(
    index: FakeUpstream, connect: Connect, fault: Fault
) -> None:
    file = await file_of(index, connect)
    index.befall(file.url.removeprefix(index.origin), fault)
    with pytest.raises(UpstreamError):
        await connect(index.url, retries=0).read_range(file, 10, 19)


@pytest.mark.parametrize(("first", "last"), [(5, 4), (0, 16 << 20), (-(16 << 20) - 1, 0), (10, 0)])
async def test_ranges_that_are_empty_or_huge_are_mistakes(
    index: FakeUpstream, connect: Connect, first: int, last: int
) -> None:
    file = await file_of(index, connect)
    with pytest.raises(ValueError, match="cannot be read"):
        await connect(index.url).read_range(file, first, last)
    assert len(index.requests) == 1


async def test_metadata_is_asked_for_beside_the_file(index: FakeUpstream, connect: Connect) -> None:
    served = index.add_file("litellm", "1.82.6")
    file = structs.replace(await entry_of(connect(index.url), served), core_metadata=True)
    assert (
        await connect(index.url).metadata(structs.replace(file, url=f"{file.url}?token=x#fragment")) == served.metadata
    )
    assert index.requests[-1].headers["Accept-Encoding"] == "identity"


async def test_metadata_without_a_hash_is_taken_as_it_comes(index: FakeUpstream, connect: Connect) -> None:
    served = index.add_file("litellm", "1.82.6")
    file = structs.replace(await entry_of(connect(index.url), served), core_metadata=True)
    index.befall(served.metadata_path, Fault(content=b"Name: litellm\n"))
    assert await connect(index.url).metadata(file) == b"Name: litellm\n"


@pytest.mark.parametrize(
    "fault", [Fault(headers={"Content-Encoding": "gzip"}), Fault(headers={"Content-Length": str(MAX_METADATA + 1)})]
)
async def test_metadata_that_is_encoded_or_huge_is_refused(index: FakeUpstream, connect: Connect, fault: Fault) -> None:
    served = index.add_file("litellm", "1.82.6")
    file = await entry_of(connect(index.url), served)
    index.befall(served.metadata_path, fault)
    with pytest.raises(UpstreamError, match=r"content encoding|larger than 8388608 bytes"):
        await connect(index.url).metadata(file)


async def test_an_address_that_is_no_url_is_the_upstreams_failure(index: FakeUpstream, connect: Connect) -> None:
    file = structs.replace(await file_of(index, connect), url="https://files.example:port/a.whl", core_metadata=True)
    upstream = connect(index.url)
    with pytest.raises(UpstreamError, match="no URL"):
        await upstream.read_range(file, 0, 9)
    with pytest.raises(UpstreamError, match="no URL"):
        await upstream.metadata(file)
    with pytest.raises(UpstreamError, match="no URL"):
        await read(upstream, file)


# What an observer is told.


async def test_an_observer_is_told_of_every_question(index: FakeUpstream, connect: Connect) -> None:
    seen: list[tuple[str, str, str]] = []

    def observer(upstream: str, kind: str, seconds: float, outcome: str) -> None:
        assert 0 <= seconds < 5
        seen.append((upstream, kind, outcome))

    upstream = connect(index.url, observer=observer, retries=0)
    served = index.add_file("litellm", "1.82.6")
    page = await page_of(upstream, "litellm")
    file = page.project.files[0]
    await upstream.project("litellm", page.validators)
    await upstream.project("missing", None)
    await upstream.project_names()
    await read(upstream, file)
    await upstream.read_range(file, 0, 9)
    await upstream.metadata(file)
    index.befall(served.metadata_path, Fault(content=b"other"))
    with pytest.raises(FileMismatch):
        await upstream.metadata(file)
    index.befall(served, Fault(status=404))
    with pytest.raises(Exception, match="404"):
        await read(upstream, file)
    index.befall(served, Fault(truncate_at=10))
    with pytest.raises(UpstreamError):
        await read(upstream, file)
    index.recover()
    with pytest.raises(KeyError):
        async with upstream.download(file):
            raise KeyError
    assert seen == [
        ("pypi", "page", "ok"),
        ("pypi", "page", "unchanged"),
        ("pypi", "page", "missing"),
        ("pypi", "names", "ok"),
        ("pypi", "file", "ok"),
        ("pypi", "range", "ok"),
        ("pypi", "metadata", "ok"),
        ("pypi", "metadata", "error"),
        ("pypi", "file", "missing"),
        ("pypi", "file", "error"),
        ("pypi", "file", "abandoned"),
    ]


async def test_a_download_is_measured_without_the_time_of_its_taker(index: FakeUpstream, connect: Connect) -> None:
    measured: list[float] = []
    upstream = connect(index.url, observer=lambda *told: measured.append(told[2]))
    file = await entry_of(upstream, index.add_file("litellm", "1.82.6"))
    async with upstream.download(file) as download:
        async for _ in download.chunks:
            await asyncio.sleep(0.3)
    assert measured[-1] < 0.25


async def test_many_questions_at_once(index: FakeUpstream, connect: Connect) -> None:
    upstream = connect(index.url)
    served = [index.add_file("litellm", f"1.{number}", content=json.dumps(number).encode()) for number in range(50)]
    files = (await page_of(upstream, "litellm")).project.files
    contents = await asyncio.gather(*(read(upstream, file) for file in files))
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [file.sha256 for file in served]
