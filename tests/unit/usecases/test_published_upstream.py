"""What is published here is served from here alone, and no upstream hears of it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.fakes.blobs import FakeBlobs
from tests.fakes.catalog import FakeCatalog
from tests.fakes.clock import NOON, FakeClock

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.published import SqlitePublishedStore
from pinfold.domain.errors import UpstreamError
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project
from pinfold.domain.published import Claim, Deletion, PublishedFile
from pinfold.domain.records import Records
from pinfold.policy.engine import Policy
from pinfold.ports.upstream import Missing, Page, Validators
from pinfold.usecases.find_project import ProjectFinder
from pinfold.usecases.gather_evidence import gather
from pinfold.usecases.indexes import Index, Source
from pinfold.usecases.published_upstream import PublishedUpstream

FOREIGN = File("acme_tool-9.9.tar.gz", "https://files.example/x", "f" * 64, FileKind.SDIST, "9.9")


class Public:
    """An upstream that has a project of whatever name, and remembers who was asked for."""

    name = "pypi"

    def __init__(self):
        self.asked = []

    async def project(self, name, known):
        self.asked.append(name)
        return Page(Project(name, (FOREIGN,)), Validators(), None)


class Telemetry:
    def looked_up(self, cache, *, hit):
        pass


@pytest.fixture
async def store(tmp_path):
    ledger = await Database.open(tmp_path / "ledger.db", schema.ledger, durable=False)
    yield SqlitePublishedStore(ledger)
    await ledger.close()


@pytest.fixture
def blobs(tmp_path):
    return FakeBlobs(tmp_path)


@pytest.fixture
async def finder(store):
    finder = ProjectFinder(FakeCatalog(), store, FakeClock(), Telemetry())
    yield finder
    await finder.close()


@pytest.fixture
def public():
    return Public()


@pytest.fixture
def index(store, blobs, public):
    def make(name="main", shows=("main",), private=()):
        own = (Source(PublishedUpstream(shown, store, blobs), private=True, first_hand=True) for shown in shows)
        return Index(name, (*own, Source(public, timedelta(0))), Policy("none", "0" * 64, ()), private)

    return make


async def publish(store, version="1.0", index="main", project="acme-tool", namesakes=(), **changes):
    filename = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    file = File(filename, f"published:{index}/{filename}", "a" * 64, FileKind.WHEEL, version, 10, NOON, provenance=True)
    published = PublishedFile(index, project, replace(file, **changes), filename, "ci")
    await store.publish(published, None, Claim(index, project, NOON, "ci", namesakes), [])
    return published


def versions(found):
    return [file.version for file in found.listing.project.files]


async def test_what_is_published_is_served_alone_and_never_asked_for(finder, store, index, public):
    await publish(store)
    found = await finder.find(index(), "acme-tool")
    assert versions(found) == ["1.0"]
    assert public.asked == []


async def test_a_new_upload_is_found_at_once_and_the_same_listing_until_then(finder, store, index):
    await publish(store)
    first = await finder.find(index(), "acme-tool")
    assert (await finder.find(index(), "acme-tool")).listing is first.listing
    await publish(store, "1.1")
    assert versions(await finder.find(index(), "acme-tool")) == ["1.0", "1.1"]


async def test_a_project_whose_files_are_all_deleted_does_not_fall_to_the_upstream(finder, store, index, public):
    file = (await publish(store)).file.filename
    await finder.find(index(), "acme-tool")
    await store.delete("main", "acme-tool", [file], Deletion(NOON, "kim", "why"), [])
    found = await finder.find(index(), "acme-tool")
    assert not found.listing.missing
    assert versions(found) == []
    assert public.asked == []


async def test_another_index_shows_what_it_is_told_to_show(finder, store, index, public):
    await publish(store)
    prod = index("prod", shows=("prod", "main"))
    assert versions(await finder.find(prod, "acme-tool")) == ["1.0"]
    await publish(store, "2.0", index="prod")
    assert versions(await finder.find(prod, "acme-tool")) == ["2.0"]
    assert public.asked == []


async def test_an_index_that_does_not_show_it_asks_nobody_for_a_name_that_is_only_ours(finder, store, index, public):
    await publish(store)
    assert await finder.find(index("prod", shows=("prod",)), "acme-tool") is None
    assert public.asked == []


async def test_a_public_name_that_one_index_claims_stays_public_elsewhere(finder, store, index, public):
    await publish(store, project="requests", namesakes=("pypi",))
    found = await finder.find(index("prod", shows=("prod",)), "requests")
    assert found.source.name == "pypi"
    assert versions(await finder.find(index(), "requests")) == ["1.0"]
    assert public.asked == ["requests"]


async def test_names_that_nobody_published_are_asked_for_as_ever(finder, store, index, public):
    await publish(store)
    assert (await finder.find(index(), "six")).source.name == "pypi"
    assert await finder.find(index(private=("acme-*",)), "acme-other") is None
    assert public.asked == ["six"]


async def test_evidence_says_that_the_name_is_private_and_the_origin_ours(finder, store, index):
    await publish(store)
    found = await finder.find(index(), "acme-tool")
    (evidence,) = gather(index(), "acme-tool", found, found.listing.project.files, Records(revision=0))
    assert evidence.private_name
    assert evidence.origin.private
    assert evidence.origin.upstream == "published:main"
    assert evidence.sighting.value.sha256 == "a" * 64


async def test_bytes_that_are_lost_are_said_to_be_lost(store, blobs):
    upstream = PublishedUpstream("main", store, blobs)
    file = (await publish(store)).file
    with pytest.raises(UpstreamError, match="restore"):
        async with upstream.download(file):
            pass
    with pytest.raises(UpstreamError, match="restore"):
        await upstream.read_range(file, 0, 10)


async def test_metadata_comes_from_the_blobs(store, blobs):
    upstream = PublishedUpstream("main", store, blobs)
    digest = blobs.put(b"Metadata-Version: 2.4\n")
    file = (await publish(store, core_metadata=digest)).file
    assert await upstream.metadata(file) == b"Metadata-Version: 2.4\n"
    assert await upstream.metadata(replace(file, core_metadata="b" * 64)) is None
    (await blobs.find(digest)).write_bytes(b"Metadata-Version: 9.9\n")
    assert await upstream.metadata(file) is None


async def test_names_and_missing_projects(store, blobs):
    await publish(store)
    upstream = PublishedUpstream("main", store, blobs)
    assert await upstream.project_names() == ["acme-tool"]
    assert await PublishedUpstream("other", store, blobs).project_names() == []
    assert await upstream.project("six", None) == Missing()
