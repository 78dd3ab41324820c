"""What every adapter of the `Upstream` port does, whatever the index behind it can."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.fakes.upstream import POOR, PYPI, FakeUpstream, Fault, Manners
from tests.fakes.upstream.reading import entry_of, page_of, read

from pinfold.adapters.upstream import HttpUpstream, UpstreamOptions
from pinfold.domain.errors import FileMismatch, NotFound, UpstreamError
from pinfold.domain.project import StatusMarker
from pinfold.ports.upstream import Missing, Page, Unchanged, Upstream, Validators

UPLOADED = datetime(2026, 3, 24, 10, 39, 0, 250000, tzinfo=UTC)


@pytest.fixture(params=[PYPI, POOR, Manners(separate_files=True)], ids=["pypi", "poor", "separate-files"])
async def index(request: pytest.FixtureRequest) -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream(request.param) as running:
        yield running


@pytest.fixture
async def upstream(index: FakeUpstream) -> AsyncIterator[Upstream]:
    options = UpstreamOptions(
        name="pypi", url=index.url, file_hosts=(index.file_host,), retries=1, backoff=0.001, trust_env=False
    )
    adapter = HttpUpstream(options)
    yield adapter
    await adapter.aclose()


def test_has_its_name(upstream: Upstream) -> None:
    assert upstream.name == "pypi"


async def test_a_page_lists_the_projects_files(upstream: Upstream, index: FakeUpstream) -> None:
    wheel = index.add_file("litellm", "1.82.6", upload_time=UPLOADED, requires_python=">=3.9")
    sdist = index.add_file("litellm", "1.82.6", sdist=True)
    page = await page_of(upstream, "litellm")
    assert page.project.name == "litellm"
    assert [(file.filename, file.sha256) for file in page.project.files] == [
        (wheel.filename, wheel.sha256),
        (sdist.filename, sdist.sha256),
    ]
    assert page.project.files[0].requires_python == ">=3.9"
    assert page.project.versions == ("1.82.6",)
    assert page.project.rejected == ()


async def test_upload_times_and_sizes_are_told_where_the_index_tells_them(
    upstream: Upstream, index: FakeUpstream
) -> None:
    file = index.add_file("litellm", "1.82.6", upload_time=UPLOADED)
    found = await entry_of(upstream, file)
    told = (UPLOADED, len(file.content)) if index.manners.upload_times else (None, None)
    assert (found.upload_time, found.size) == told


async def test_provenance_is_told_where_the_index_tells_it(upstream: Upstream, index: FakeUpstream) -> None:
    attested = index.add_file("litellm", "1.82.6", provenance=b"{}")
    bare = index.add_file("litellm", "1.82.7")
    found = [(await entry_of(upstream, file)).provenance for file in (attested, bare)]
    assert found == (
        [f"{index.origin}{attested.provenance_path}", True] if index.manners.provenance else [False, False]
    )


async def test_a_name_is_asked_for_in_its_normalised_spelling(upstream: Upstream, index: FakeUpstream) -> None:
    index.add_file("typing-extensions", "4.15.0")
    page = await page_of(upstream, "Typing_Extensions")
    assert page.project.name == "typing-extensions"
    assert [request.path for request in index.requests] == ["/simple/typing-extensions/"]


async def test_yanked_files_tell_why(upstream: Upstream, index: FakeUpstream) -> None:
    index.yank(index.add_file("litellm", "1.82.6"), "broken <metadata> & more")
    page = await page_of(upstream, "litellm")
    assert page.project.files[0].yanked == "broken <metadata> & more"


async def test_a_project_tells_its_status(upstream: Upstream, index: FakeUpstream) -> None:
    index.add_file("litellm", "1.82.6")
    index.set_status("litellm", "quarantined", "malware")
    status = (await page_of(upstream, "litellm")).project.status
    assert (status.marker, status.reason) == (StatusMarker.QUARANTINED, "malware")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_project_that_is_not_there_is_missing(upstream: Upstream, index: FakeUpstream, status: int) -> None:
    assert await upstream.project("litellm", None) == Missing()
    index.befall(index.page_path("litellm"), Fault(status=status))
    assert await upstream.project("litellm", Validators(etag='"known"')) == Missing()


@pytest.mark.parametrize("status", [204, 301, 400, 401, 403, 407, 418, 429, 451, 500, 502, 503, 504])
async def test_an_index_that_fails_is_never_taken_for_one_without_the_project(
    upstream: Upstream, index: FakeUpstream, status: int
) -> None:
    index.befall(index.page_path("litellm"), Fault(status=status))
    with pytest.raises(UpstreamError, match=f"^pypi: {index.url}litellm/: answered {status}"):
        await upstream.project("litellm", None)


async def test_a_page_is_asked_for_again_by_its_validators(upstream: Upstream, index: FakeUpstream) -> None:
    index.add_file("litellm", "1.82.6")
    first = await page_of(upstream, "litellm")
    again = await upstream.project("litellm", first.validators)
    assert isinstance(again, Unchanged if index.manners.etags else Page)
    assert again.max_age == (timedelta(minutes=10) if index.manners.cache_control else None)
    assert again.max_age == first.max_age


async def test_a_page_that_changed_is_sent_whole(upstream: Upstream, index: FakeUpstream) -> None:
    index.add_file("litellm", "1.82.6")
    first = await page_of(upstream, "litellm")
    index.add_file("litellm", "1.82.7")
    again = await upstream.project("litellm", first.validators)
    assert isinstance(again, Page)
    assert again.project.versions == ("1.82.6", "1.82.7")


async def test_names_are_listed_normalised(upstream: Upstream, index: FakeUpstream) -> None:
    for name in ("litellm", "Typing_Extensions", "zope.interface"):
        index.add_project(name)
    assert sorted(await upstream.project_names()) == ["litellm", "typing-extensions", "zope-interface"]


async def test_a_list_of_names_that_is_not_there_is_an_error(upstream: Upstream, index: FakeUpstream) -> None:
    index.befall("/simple/", Fault(status=404))
    with pytest.raises(UpstreamError, match="404"):
        await upstream.project_names()


async def test_a_file_is_read_whole(upstream: Upstream, index: FakeUpstream) -> None:
    file = index.add_file("litellm", "1.82.6", files={"litellm/data": bytes(700_000)})
    assert await read(upstream, await entry_of(upstream, file)) == file.content


@pytest.mark.parametrize("first", [1, 1000, 299_999, 300_000])
async def test_a_file_is_read_from_an_offset(upstream: Upstream, index: FakeUpstream, first: int) -> None:
    content = bytes(range(256)) * 1200
    file = index.add_file("litellm", "1.82.6", content=content[:300_001])
    assert await read(upstream, await entry_of(upstream, file), first) == content[first:300_001]


async def test_a_file_that_is_gone_is_not_found(upstream: Upstream, index: FakeUpstream) -> None:
    found = await entry_of(upstream, file := index.add_file("litellm", "1.82.6"))
    index.remove_file(file)
    with pytest.raises(NotFound):
        await read(upstream, found)
    with pytest.raises(NotFound):
        await upstream.read_range(found, 0, 9)


async def test_a_file_that_cannot_be_had_is_not_taken_for_gone(upstream: Upstream, index: FakeUpstream) -> None:
    found = await entry_of(upstream, file := index.add_file("litellm", "1.82.6"))
    index.befall(file, Fault(status=500))
    with pytest.raises(UpstreamError):
        await read(upstream, found)
    with pytest.raises(UpstreamError):
        await upstream.read_range(found, 0, 9)


@pytest.mark.parametrize(
    ("first", "last", "part"),
    [(0, 0, slice(0, 1)), (10, 19, slice(10, 20)), (90, 500, slice(90, 100)), (-7, 0, slice(93, 100))],
    ids=["one byte", "middle", "beyond the end", "suffix"],
)
async def test_ranges_are_read_where_the_index_serves_them(
    upstream: Upstream, index: FakeUpstream, first: int, last: int, part: slice
) -> None:
    content = bytes(range(100))
    found = await entry_of(upstream, index.add_file("litellm", "1.82.6", content=content))
    if index.manners.ranges:
        assert await upstream.read_range(found, first, last) == (content[part], 100)
    else:
        with pytest.raises(UpstreamError, match="range"):
            await upstream.read_range(found, first, last)


async def test_metadata_is_read_where_the_index_has_it(upstream: Upstream, index: FakeUpstream) -> None:
    file = index.add_file("litellm", "1.82.6", requires_dist=["httpx"])
    found = await entry_of(upstream, file)
    if index.manners.core_metadata:
        assert file.metadata is not None
        assert found.core_metadata == hashlib.sha256(file.metadata).hexdigest()
        assert await upstream.metadata(found) == file.metadata
    else:
        assert await upstream.metadata(found) is None
        assert len(index.requests) == 1


async def test_announced_metadata_that_is_not_there_is_none(upstream: Upstream, index: FakeUpstream) -> None:
    file = index.add_file("litellm", "1.82.6")
    found = await entry_of(upstream, file)
    index.befall(file.metadata_path, Fault(status=404))
    assert await upstream.metadata(found) is None


async def test_other_metadata_than_announced_is_refused(upstream: Upstream, index: FakeUpstream) -> None:
    file = index.add_file("litellm", "1.82.6")
    found = await entry_of(upstream, file)
    index.befall(file.metadata_path, Fault(status=200, content=b"Name: other\n"))
    if index.manners.core_metadata:
        with pytest.raises(FileMismatch):
            await upstream.metadata(found)
    else:
        assert await upstream.metadata(found) is None


async def test_provenance_is_fetched_from_where_the_page_says(upstream: Upstream, index: FakeUpstream) -> None:
    attested = index.add_file("litellm", "1.82.6", provenance=b'{"version": 1}')
    told = await entry_of(upstream, attested)
    found = await upstream.provenance(replace(told, provenance=f"{index.origin}{attested.provenance_path}"))
    assert found == b'{"version": 1}'


async def test_without_an_address_no_provenance_is_asked_for(upstream: Upstream, index: FakeUpstream) -> None:
    bare = await entry_of(upstream, index.add_file("litellm", "1.82.6"))
    asked = len(index.requests)
    for silence in (True, False):
        assert await upstream.provenance(replace(bare, provenance=silence)) is None
    assert len(index.requests) == asked


async def test_provenance_that_is_gone_is_none_and_what_fails_is_an_error(
    upstream: Upstream, index: FakeUpstream
) -> None:
    file = index.add_file("litellm", "1.82.6", provenance=b"{}")
    found = replace(await entry_of(upstream, file), provenance=f"{index.origin}{file.provenance_path}")
    index.befall(file.provenance_path, Fault(status=404))
    assert await upstream.provenance(found) is None
    for fault in (Fault(status=500), Fault(content=b"x" * (256 * 1024 + 1)), Fault(truncate_at=1), Fault(reset=True)):
        index.befall(file.provenance_path, fault)
        with pytest.raises(UpstreamError):
            await upstream.provenance(found)


async def test_provenance_is_tried_again_after_a_passing_failure(upstream: Upstream, index: FakeUpstream) -> None:
    file = index.add_file("litellm", "1.82.6", provenance=b"{}")
    found = replace(await entry_of(upstream, file), provenance=f"{index.origin}{file.provenance_path}")
    index.befall(file.provenance_path, Fault(status=503, times=1))
    assert await upstream.provenance(found) == b"{}"


async def test_provenance_is_not_fetched_from_addresses_that_files_must_not_have(
    upstream: Upstream, index: FakeUpstream
) -> None:
    file = await entry_of(upstream, index.add_file("litellm", "1.82.6"))
    asked = len(index.requests)
    for address in ("http://169.254.169.254/latest/", "http://127.0.0.1:1/x", "file:///etc/passwd", "http://[::1]:9/"):
        with pytest.raises(UpstreamError):
            await upstream.provenance(replace(file, provenance=address))
    assert len(index.requests) == asked
