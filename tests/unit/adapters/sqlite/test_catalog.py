import hashlib
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlite_utils

from pinfold.adapters.sqlite import schema
from pinfold.adapters.sqlite.catalog import SqliteCatalog
from pinfold.adapters.sqlite.database import Database
from pinfold.domain.errors import StoreError
from pinfold.domain.listing import Listing
from pinfold.domain.project import Project
from pinfold.ports.catalog import Stored
from pinfold.ports.upstream import Validators

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)
STORED = Stored(Listing(Project("idna"), NOON), Validators(), NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


@pytest.fixture
async def catalog(path: Path) -> AsyncIterator[SqliteCatalog]:
    file = await Database.open(path, schema.catalog, durable=False)
    yield SqliteCatalog(file)
    await file.close()


@pytest.mark.parametrize(
    "damage",
    [
        "body = zeroblob(40)",
        "body = substr(body, 1, length(body) - 3)",
        "body = x''",
        "fresh_until = 'soon'",
    ],
)
async def test_a_damaged_listing_is_an_error_that_names_it(catalog: SqliteCatalog, path: Path, damage: str) -> None:
    await catalog.update("pypi", "idna", lambda _: STORED)
    with sqlite3.connect(path) as intruder:
        intruder.execute(f"UPDATE listing SET {damage}")
    intruder.close()
    with pytest.raises(StoreError, match=r"catalog\.db has a damaged listing of idna from pypi"):
        await catalog.load("pypi", "idna")


async def test_a_damaged_listing_is_not_begun_anew(catalog: SqliteCatalog, path: Path) -> None:
    await catalog.update("pypi", "idna", lambda _: STORED)
    with sqlite3.connect(path) as intruder:
        intruder.execute("UPDATE listing SET body = zeroblob(40)")
    intruder.close()
    with pytest.raises(StoreError, match="forgets every first sighting"):
        await catalog.update("pypi", "idna", lambda _: STORED)
    await catalog.update("pypi", "other", lambda _: STORED)
    with pytest.raises(StoreError):
        await catalog.load("pypi", "idna")


@pytest.mark.parametrize(
    "damage",
    [
        "zeroblob(40)",
        "x''",
        "substr(content, 1, length(content) - 3)",
        "(SELECT content FROM metadata WHERE length(content) > 1000)",
    ],
)
async def test_damaged_metadata_is_no_metadata(catalog: SqliteCatalog, path: Path, damage: str) -> None:
    long, short = random.Random(0).randbytes(9000), b"Metadata-Version: 2.4"
    digests = [hashlib.sha256(content).hexdigest() for content in (long, short)]
    for wheel, content in (("1" * 64, long), ("2" * 64, short)):
        await catalog.remember_metadata("idna", wheel, content)
    with sqlite3.connect(path) as intruder:
        intruder.execute(f"UPDATE metadata SET content = {damage} WHERE digest = ?", [digests[1]])
    intruder.close()
    assert [await catalog.metadata(digest) for digest in digests] == [long, None]
    await catalog.remember_metadata("idna", "2" * 64, short)
    assert await catalog.metadata(digests[1]) == short


async def test_metadata_that_an_earlier_version_left_to_no_wheel_goes(path: Path) -> None:
    with sqlite_utils.Database(path) as earlier:
        schema.catalog.apply(earlier, stop_before="metadata_of_no_wheel")
        for content in (b"kept", b"left"):
            digest = hashlib.sha256(content).hexdigest()
            earlier.execute("INSERT INTO metadata VALUES (?, ?)", [digest, zstd.compress(content)])
        kept = hashlib.sha256(b"kept").hexdigest()
        earlier.execute(
            "INSERT INTO wheel_metadata VALUES ('idna', ?, ?), ('idna', ?, NULL)", ["1" * 64, kept, "2" * 64]
        )
    file = await Database.open(path, schema.catalog, durable=False)
    assert await SqliteCatalog(file).metadata(kept) == b"kept"
    assert await file.read(lambda database: database.execute("SELECT digest FROM metadata").fetchall()) == [(kept,)]
    await file.close()


async def test_metadata_that_unpacks_to_too_much_is_no_metadata(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(1001)
    await catalog.remember_metadata("idna", "1" * 64, content)
    monkeypatch.setattr("pinfold.adapters.sqlite.catalog._LARGEST", 1000)
    assert await catalog.metadata(hashlib.sha256(content).hexdigest()) is None


@pytest.mark.parametrize(
    "stored",
    [
        Stored(Listing(Project("idna", versions=("\ud800",)), NOON), Validators(), NOON),
        Stored(STORED.listing, Validators("\udcff"), NOON),
    ],
)
async def test_text_that_cannot_be_kept_is_an_error(catalog: SqliteCatalog, stored: Stored) -> None:
    with pytest.raises(StoreError, match="Unicode"):
        await catalog.update("pypi", "idna", lambda _: stored)
    assert await catalog.load("pypi", "idna") is None
