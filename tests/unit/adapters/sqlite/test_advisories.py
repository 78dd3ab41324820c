"""The feeds' file: what several processes see of it, and that a page's look-up stays one search."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.clock import NOON

from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds
from pinfold.advisories.osv_record import Record
from pinfold.domain.advisory import AdvisoryKind, Bound, Claim, Event, Severity
from pinfold.domain.errors import StoreError
from pinfold.domain.evidence import NO_FEED, Known
from pinfold.ports.advisories import FeedState
from pinfold.usecases.present import TRUSTED_SECONDS

CLAIM = Claim(
    "MAL-2026-2144",
    AdvisoryKind.MALWARE,
    frozenset({"1.82.7", "1.82.8"}),
    ((Event(Bound.INTRODUCED, "0"), Event(Bound.FIXED, "1")),),
    frozenset({"a" * 64}),
    ("PYSEC-2026-2",),
    "Malicious code",
    Severity.HIGH,
    8.8,
    2,
)


def a_record(number: int = 0, *claims: tuple[str, Claim]) -> Record:
    return Record(f"MAL-{number}", NOON + timedelta(seconds=number), claims)


async def opened(path: Path) -> Database:
    return await Database.open(path, feeds, durable=False)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Database]:
    file = await opened(tmp_path / "feeds.db")
    yield file
    await file.close()


async def replace_feed(store: SqliteAdvisoryStore, *records: Record, feed: str = "osv") -> str:
    return (await store.switch(feed, await store.load(feed, records), NOON)).sha256


async def test_claims_come_back_as_they_were(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    await replace_feed(store, a_record(1, ("litellm", CLAIM)))
    about = await store.about("litellm")
    assert isinstance(about, Known)
    assert about.value.claims == (CLAIM,)
    assert [snapshot.records for snapshot in about.value.snapshots] == [1]


async def test_same_object_for_as_long_as_nothing_changes(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    await replace_feed(store, a_record(1, ("litellm", CLAIM)))
    for project in ("litellm", "idna"):
        before = await store.about(project)
        await asyncio.sleep(TRUSTED_SECONDS + 0.05)
        assert await store.about(project) is before
    await store.apply("osv", [a_record(2)], NOON)
    assert await store.about("litellm") is not before


async def test_same_object_for_all_who_ask_at_once(file: Database) -> None:
    await replace_feed(SqliteAdvisoryStore(file, ["osv"]), a_record(1, ("litellm", CLAIM)))
    store = SqliteAdvisoryStore(file, ["osv"])
    first, *others = await asyncio.gather(*(store.about("litellm") for _ in range(50)))
    assert first.value.claims == (CLAIM,)
    assert all(other is first for other in others)


async def test_claims_come_with_the_snapshot_that_they_are_of_and_what_is_known_before_is_let_go(
    file: Database,
) -> None:
    store, elsewhere = SqliteAdvisoryStore(file, ["osv"]), SqliteAdvisoryStore(file, ["osv"])
    await replace_feed(store, a_record(1))
    await store.about("idna")
    await replace_feed(elsewhere, a_record(2, ("litellm", CLAIM)))
    read, silent = await store.about("litellm"), await store.about("idna")
    assert isinstance(read, Known)
    assert isinstance(silent, Known)
    assert read.value.claims == (CLAIM,)
    assert read.value.snapshots == silent.value.snapshots == (await elsewhere.about("idna")).value.snapshots


async def test_every_feed_in_use_has_to_be_there_and_no_other_counts(file: Database) -> None:
    both = SqliteAdvisoryStore(file, ["osv", "ours"])
    await replace_feed(both, a_record(1, ("litellm", CLAIM)))
    assert await both.about("litellm") is NO_FEED
    await replace_feed(both, a_record(9, ("litellm", CLAIM)), feed="ours")
    about = await both.about("litellm")
    assert isinstance(about, Known)
    assert (len(about.value.claims), len(about.value.snapshots)) == (2, 2)
    one = await SqliteAdvisoryStore(file, ["ours"]).about("litellm")
    assert isinstance(one, Known)
    assert [snapshot.feed for snapshot in one.value.snapshots] == ["ours"]
    assert await SqliteAdvisoryStore(file, []).about("litellm") is NO_FEED


async def test_hash_is_that_of_the_contents_in_whatever_order(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    records = [a_record(number, ("litellm", CLAIM)) for number in range(5)]
    hashes = {await replace_feed(store, *records), await replace_feed(store, *reversed(records))}
    assert len(hashes) == 1
    assert await replace_feed(store, *records[1:]) not in hashes
    assert (await store.apply("osv", [records[0]], NOON)).sha256 in hashes


async def test_feed_that_breaks_off_leaves_nothing(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    await replace_feed(store, a_record(1, ("litellm", CLAIM)))

    def breaking():
        yield from (a_record(number, ("litellm", CLAIM)) for number in range(2500))
        raise StoreError("out of records")

    with pytest.raises(StoreError, match="out of records"):
        await store.load("osv", breaking())
    counts = await file.read(
        lambda db: [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("advisory", "claim", "generation")]
    )
    assert counts == [1, 1, 1]


async def test_state_is_kept_beside_the_snapshot(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    assert await store.state("osv") == FeedState()
    await store.save("osv", FeedState(failure="no answer", failed_at=NOON))
    assert await store.about("litellm") is NO_FEED
    await replace_feed(store, a_record(1))
    state = await store.state("osv")
    assert (state.failure, state.snapshot is not None) == ("no answer", True)


async def test_damaged_row_is_an_error_and_not_an_absence(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    await replace_feed(store, a_record(1, ("litellm", CLAIM)))
    await file.write(lambda database: database.execute("UPDATE claim SET content = x'00'"))
    with pytest.raises(StoreError, match="damaged"):
        await store.about("litellm")


async def test_page_takes_one_search(file: Database) -> None:
    query = "SELECT content FROM claim WHERE generation = 1 AND project = 'litellm' ORDER BY id"
    plan = await file.read(lambda database: database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
    assert [row[3] for row in plan] == ["SEARCH claim USING INDEX claim_project (generation=? AND project=?)"]


def load_in_another_process(path: Path) -> None:
    async def load() -> None:
        file = await opened(path)
        await replace_feed(SqliteAdvisoryStore(file, ["osv"]), a_record(1, ("litellm", CLAIM)))
        await file.close()

    asyncio.run(load())


async def test_what_another_process_loads_is_seen_within_a_second(file: Database) -> None:
    store = SqliteAdvisoryStore(file, ["osv"])
    assert await store.about("litellm") is NO_FEED
    process = multiprocessing.get_context("spawn").Process(target=load_in_another_process, args=(file.path,))
    process.start()
    await asyncio.to_thread(process.join, 30)
    assert process.exitcode == 0
    await asyncio.sleep(TRUSTED_SECONDS + 0.1)
    assert isinstance(await store.about("litellm"), Known)
