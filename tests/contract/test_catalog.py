"""What every catalog keeps to, whatever it is made of."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fakes.catalog import FakeCatalog

from pinfold.adapters.sqlite import database, schema
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.listing import observe
from pinfold.domain.names import FileKind
from pinfold.domain.project import File, Project, RejectedEntry, StatusMarker, UpstreamStatus
from pinfold.ports.catalog import Catalog, Stored
from pinfold.ports.upstream import Validators

METADATA = b"Metadata-Version: 2.4\nName: idna\n" + bytes(range(256))
METADATA_SHA256 = hashlib.sha256(METADATA).hexdigest()
NOON = datetime(2026, 3, 24, 12, 0, 0, 123456, UTC)
SDIST = File("idna-3.0.tar.gz", "https://files.example/idna-3.0.tar.gz", "1" * 64, FileKind.SDIST, "3.0")
WHEEL = File(
    filename="idna-3.1-py3-none-any.whl",
    url="https://files.example/idna-3.1-py3-none-any.whl",
    sha256="2" * 64,
    kind=FileKind.WHEEL,
    version="3.1",
    size=61_000,
    upload_time=NOON - timedelta(days=9),
    requires_python=">=3.8",
    yanked="",
    core_metadata="3" * 64,
    provenance="https://index.example/integrity/idna/3.1/idna-3.1-py3-none-any.whl/provenance",
)
OTHER = File("idna-2.0.zip", "https://files.example/idna-2.0.zip", "4" * 64, FileKind.OTHER, None, core_metadata=True)
PROJECT = Project(
    name="idna",
    files=(SDIST, WHEEL, OTHER),
    versions=("2.0", "3.0", "3.1"),
    status=UpstreamStatus(StatusMarker.ARCHIVED, "moved elsewhere — 移転"),
    tracks=("https://index.example/simple/idna/",),
    alternate_locations=("https://other.example/simple/idna/",),
    rejected=(RejectedEntry("idna-0.1.exe", "has no sha256"),),
)


@pytest.fixture(params=["sqlite", "fake"])
async def catalog(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Catalog]:
    if request.param == "fake":
        yield FakeCatalog()
        return
    # Here everything is waited for.
    monkeypatch.setattr(database, "PASSING_SECONDS", 0)
    file = await Database.open(tmp_path / "catalog.db", schema.catalog, durable=False)
    yield SqliteCatalog(file)
    await file.close()


def seen(*files: File, at: datetime = NOON) -> Callable[[Stored | None], Stored]:
    """Return the change that a page with these files makes."""

    def change(stored: Stored | None) -> Stored:
        listing = observe(stored.listing if stored else None, Project("idna", files), at)
        return Stored(listing, Validators('"1"', None), at + timedelta(minutes=5))

    return change


async def test_what_was_never_asked_for_is_unknown(catalog: Catalog) -> None:
    assert await catalog.load("pypi", "idna") is None


async def test_a_listing_is_kept_whole(catalog: Catalog) -> None:
    before = observe(None, Project("idna", (*PROJECT.files, WHEEL)), NOON - timedelta(days=3))
    gone = observe(before, Project("idna", PROJECT.files[:1]), NOON - timedelta(days=2))
    listing = observe(gone, PROJECT, NOON)
    stored = Stored(listing, Validators('W/"x"', "Tue, 24 Mar 2026 12:00:00 GMT"), NOON + timedelta(seconds=1))
    assert await catalog.update("pypi", "idna", lambda _: stored) == stored
    assert await catalog.load("pypi", "idna") == stored
    vanished = Stored(gone, Validators(), NOON)
    await catalog.update("pypi", "idna", lambda _: vanished)
    assert await catalog.load("pypi", "idna") == vanished


async def test_a_listing_has_one_digest_wherever_it_was_kept_or_read(catalog: Catalog) -> None:
    kept = await catalog.update("pypi", "idna", seen(SDIST))
    loaded = await catalog.load("pypi", "idna")
    await catalog.confirm("pypi", "idna", NOON + timedelta(hours=1), NOON + timedelta(hours=2))
    confirmed = await catalog.load("pypi", "idna")
    assert loaded is not None
    assert confirmed is not None
    assert kept.digest is not None
    assert kept.digest == loaded.digest == confirmed.digest
    changed = await catalog.update("pypi", "idna", seen(WHEEL))
    other = await catalog.update("pypi", "other", seen())
    assert len({kept.digest, changed.digest, other.digest}) == 3


async def test_a_change_is_told_what_there_is(catalog: Catalog) -> None:
    told: list[Stored | None] = []

    def change(stored: Stored | None) -> Stored:
        told.append(stored)
        return seen(SDIST)(stored)

    first = await catalog.update("pypi", "idna", change)
    await catalog.update("pypi", "idna", change)
    assert told == [None, first]


async def test_upstreams_and_projects_are_kept_apart(catalog: Catalog) -> None:
    await catalog.update("pypi", "idna", seen(SDIST))
    assert await catalog.load("private", "idna") is None
    assert await catalog.load("pypi", "idna2") is None
    await catalog.update("private", "idna", seen(WHEEL))
    stored = await catalog.load("pypi", "idna")
    assert stored is not None
    assert stored.listing.project.files == (SDIST,)


async def test_changes_that_come_at_once_lose_no_sighting(catalog: Catalog) -> None:
    files = [File(f"idna-{n}.tar.gz", "https://files.example/", f"{n:064x}", FileKind.SDIST, str(n)) for n in range(30)]
    await asyncio.gather(*(catalog.update("pypi", "idna", seen(file)) for file in files))
    stored = await catalog.load("pypi", "idna")
    assert stored is not None
    assert stored.listing.sightings.keys() == {file.filename for file in files}


async def test_a_change_that_fails_changes_nothing(catalog: Catalog) -> None:
    before = await catalog.update("pypi", "idna", seen(SDIST))

    def change(stored: Stored | None) -> Stored:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await catalog.update("pypi", "idna", change)
    assert await catalog.load("pypi", "idna") == before


async def test_a_confirmation_moves_the_times_alone(catalog: Catalog) -> None:
    before = await catalog.update("pypi", "idna", seen(SDIST))
    later = NOON + timedelta(hours=1)
    await catalog.confirm("pypi", "idna", later, later + timedelta(minutes=10))
    confirmed = replace(before.listing, fetched_at=later)
    assert await catalog.load("pypi", "idna") == Stored(confirmed, before.validators, later + timedelta(minutes=10))


async def test_a_confirmation_makes_nothing_up(catalog: Catalog) -> None:
    await catalog.confirm("pypi", "idna", NOON, NOON)
    assert await catalog.load("pypi", "idna") is None


async def test_what_was_found_out_of_wheels_is_kept_by_project(catalog: Catalog) -> None:
    assert await catalog.metadata_digests("idna") == {}
    await catalog.remember_metadata("idna", "1" * 64, METADATA)
    await catalog.remember_metadata("idna", "2" * 64, None)
    await catalog.remember_metadata("other", "1" * 64, b"")
    assert await catalog.metadata_digests("idna") == {"1" * 64: METADATA_SHA256, "2" * 64: None}
    assert await catalog.metadata(METADATA_SHA256) == METADATA
    assert await catalog.metadata(hashlib.sha256(b"").hexdigest()) == b""
    assert await catalog.metadata("0" * 64) is None


async def test_metadata_is_kept_as_long_as_a_wheel_has_it(catalog: Catalog) -> None:
    contents = [f"Name: {number}".encode() for number in range(3)]
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    wheels = [(project, number * 64) for project in ("idna", "other") for number in "12"]
    has: dict[tuple[str, str], bytes | None] = {}
    chance = random.Random(20260324)
    for _ in range(100):
        wheel = chance.choice(wheels)
        has[wheel] = chance.choice([*contents, None])
        await catalog.remember_metadata(*wheel, has[wheel])
        for content, digest in zip(contents, digests, strict=True):
            assert await catalog.metadata(digest) == (content if content in has.values() else None)


async def test_what_was_found_out_later_replaces_what_was_before(catalog: Catalog) -> None:
    await catalog.remember_metadata("idna", "1" * 64, None)
    await catalog.remember_metadata("idna", "1" * 64, METADATA)
    assert await catalog.metadata_digests("idna") == {"1" * 64: METADATA_SHA256}
