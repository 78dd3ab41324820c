"""Feeds from a real server on loopback into a real store: whole, by changes, and on bad days."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from tests.fakes.alerts import FakeLookBackStore
from tests.fakes.clock import FakeClock
from tests.fakes.osv import FakeOsv, a_record, zipped

from pinfold.adapters.osv import remote
from pinfold.adapters.osv.local import LocalFeed
from pinfold.adapters.osv.remote import RemoteFeed
from pinfold.adapters.prometheus import PrometheusTelemetry
from pinfold.adapters.sqlite.advisories import SqliteAdvisoryStore
from pinfold.adapters.sqlite.database import Database
from pinfold.adapters.sqlite.feed_schema import feeds as schema
from pinfold.adapters.upstream.options import UpstreamOptions
from pinfold.adapters.upstream.transport import Transport
from pinfold.domain.errors import FeedError
from pinfold.domain.evidence import NO_FEED, Known
from pinfold.ports.advisories import FeedSource
from pinfold.ports.look_back import ServedFile
from pinfold.usecases import refresh_feed
from pinfold.usecases.announce import Announce
from pinfold.usecases.refresh_feed import Refreshed, RefreshFeed

FAST = {"retries": 0, "idle_timeout": 1.0, "connect_timeout": 1.0, "trust_env": False}


@dataclass
class Site:
    osv: FakeOsv
    store: SqliteAdvisoryStore
    source: FeedSource
    clock: FakeClock
    refresher: RefreshFeed
    incoming: Path
    announced: FakeLookBackStore

    async def refresh(self, source: FeedSource | None = None, *, anew: bool = False) -> Refreshed:
        return await self.refresher.refresh(source or self.source, lambda *_: None, anew=anew)

    async def ids(self, project: str = "litellm") -> list[str] | None:
        about = await self.store.about(project)
        return [claim.id for claim in about.value.claims] if isinstance(about, Known) else None


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        osv = await stack.enter_async_context(FakeOsv())
        osv.put(a_record("MAL-2026-1", "other"))
        osv.put(a_record())
        file = await Database.open(tmp_path / "feeds.db", schema, durable=False)
        stack.push_async_callback(file.close)
        incoming = tmp_path / "incoming"
        incoming.mkdir()
        source = RemoteFeed("osv", Transport(UpstreamOptions("osv", osv.source, **FAST)), incoming)
        stack.push_async_callback(source.aclose)
        store, clock = SqliteAdvisoryStore(file, ["osv"]), FakeClock()
        announced = FakeLookBackStore()
        refresher = RefreshFeed(store, Announce(announced, clock), clock, PrometheusTelemetry())
        yield Site(osv, store, source, clock, refresher, incoming, announced)


class TestWhole:
    async def test_nothing_is_known_before_and_everything_after(self, site: Site) -> None:
        assert await site.store.about("litellm") is NO_FEED
        refreshed = await site.refresh()
        assert (refreshed.changed, refreshed.whole, refreshed.snapshot.records) == (True, True, 2)
        assert await site.ids() == ["MAL-2026-2144"]
        assert await site.ids("unheard-of") == []
        assert list(site.incoming.iterdir()) == []

    async def test_equal_contents_have_one_hash_however_they_came(self, site: Site) -> None:
        whole = (await site.refresh()).snapshot.sha256
        site.osv.put(a_record("MAL-2026-3"))
        by_changes = await site.refresh()
        assert not by_changes.whole
        again = await site.refresh(anew=True)
        assert again.whole
        assert whole != by_changes.snapshot.sha256 == again.snapshot.sha256

    async def test_unchanged_feed_is_not_sent_again(self, site: Site) -> None:
        await site.refresh()
        site.clock.advance(timedelta(days=2))
        refreshed = await site.refresh()
        assert (refreshed.changed, refreshed.whole) == (False, True)
        assert site.osv.requests[-1] == ("/PyPI/all.zip", 304)
        state = await site.store.state("osv")
        assert (state.checked_at, state.failure) == (site.clock.now(), "")

    async def test_records_that_were_taken_out_go_with_the_next_whole(self, site: Site) -> None:
        await site.refresh()
        del site.osv.records["MAL-2026-2144"]
        site.clock.advance(timedelta(days=2))
        await site.refresh()
        assert await site.ids() == []

    async def test_one_unreadable_record_is_passed_over_and_counted(self, site: Site) -> None:
        records = {f"MAL-2026-{number}.json": a_record(f"MAL-2026-{number}") for number in range(100)}
        body = zipped({name: json.dumps(record).encode() for name, record in records.items()} | {"x.json": b"{"})
        site.osv.faults["all.zip"] = lambda _: web.Response(body=body)
        refreshed = await site.refresh()
        assert (refreshed.snapshot.records, refreshed.skipped) == (100, 1)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (zipped({}), "no record"),
            (zipped({f"{number}.json": b"{" for number in range(9)}), "no record"),
            (b"<html>Sign in to the network</html>", "not a zip"),
            (zipped({f"{n}.json": b"\0" * (15 << 20) for n in range(2)}), "no feed looks like that"),
            (
                zipped(
                    {f"{n}.json": json.dumps(a_record(f"X-{n}")).encode() for n in range(9)}
                    | {"x.json": b"", "y.json": b""}
                ),
                "cannot be read",
            ),
        ],
        ids=["empty", "garbage", "portal", "bomb", "half garbage"],
    )
    async def test_what_cannot_be_taken_over_leaves_the_snapshot_in_force(
        self, site: Site, body: bytes, told: str
    ) -> None:
        before = (await site.refresh()).snapshot
        site.osv.faults["all.zip"] = lambda _: web.Response(body=body)
        site.clock.advance(timedelta(days=2))
        with pytest.raises(FeedError, match=told):
            await site.refresh()
        state = await site.store.state("osv")
        assert (state.snapshot, state.failed_at) == (before, site.clock.now())
        assert told in state.failure
        assert await site.ids() == ["MAL-2026-2144"]
        del site.osv.faults["all.zip"]
        await site.refresh()
        assert (await site.store.state("osv")).failure == ""

    @pytest.mark.parametrize("status", [403, 404, 500])
    async def test_status_that_is_no_answer(self, site: Site, status: int) -> None:
        site.osv.faults["all.zip"] = lambda _: web.Response(status=status)
        with pytest.raises(FeedError, match=str(status)):
            await site.refresh()
        assert await site.store.about("litellm") is NO_FEED

    async def test_feed_that_is_too_large_is_given_up(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "MAX_ARCHIVE", 100)
        with pytest.raises(FeedError, match="larger than 100"):
            await site.refresh()
        assert list(site.incoming.iterdir()) == []

    async def test_feed_that_shrinks_by_half_is_refused_unless_read_anew(self, site: Site) -> None:
        for number in range(10):
            site.osv.put(a_record(f"MAL-2026-9{number}"))
        await site.refresh()
        site.osv.records = {"MAL-2026-90": site.osv.records["MAL-2026-90"]}
        site.clock.advance(timedelta(days=2))
        with pytest.raises(FeedError, match="shrank from 12 records to 1"):
            await site.refresh()
        assert (await site.refresh(anew=True)).snapshot.records == 1

    async def test_another_source_is_read_anew(self, site: Site, tmp_path: Path) -> None:
        await site.refresh()
        folder = tmp_path / "mirror"
        folder.mkdir()
        (folder / "x.json").write_text(json.dumps(a_record("MAL-2026-7")))
        refreshed = await site.refresh(LocalFeed("osv", folder))
        assert refreshed.snapshot.records == 1
        assert await site.ids() == ["MAL-2026-7"]


class TestChanges:
    async def test_only_what_changed_is_fetched(self, site: Site) -> None:
        await site.refresh()
        site.osv.requests.clear()
        site.osv.put(a_record("MAL-2026-3"))
        refreshed = await site.refresh()
        assert (refreshed.changed, refreshed.whole, refreshed.snapshot.records) == (True, False, 3)
        assert site.osv.paths() == ["modified_id.csv", "MAL-2026-3.json"]
        assert await site.ids() == ["MAL-2026-2144", "MAL-2026-3"]

    async def test_nothing_new_costs_one_question(self, site: Site) -> None:
        before = (await site.refresh()).snapshot
        await site.refresh()
        site.osv.requests.clear()
        refreshed = await site.refresh()
        assert (refreshed.changed, refreshed.snapshot) == (False, before)
        assert site.osv.requests == [("/PyPI/modified_id.csv", 304)]

    async def test_withdrawn_record_lets_go(self, site: Site) -> None:
        await site.refresh()
        site.osv.withdraw("MAL-2026-2144")
        await site.refresh()
        assert await site.ids() == []

    async def test_changed_record_replaces_what_it_said(self, site: Site) -> None:
        await site.refresh()
        site.osv.put(a_record(project="elsewhere"))
        await site.refresh()
        assert (await site.ids(), await site.ids("elsewhere")) == ([], ["MAL-2026-2144"])

    @pytest.mark.parametrize(
        "body",
        [
            b"2099-01-01T00:00:00Z,../../../etc/passwd\n",
            b"2099-01-01T00:00:00Z\n",
            b"never,MAL-2026-3\n",
            b"\xff\xfe\x00\n",
            b"2026-01-01T00:00:00Z,A-1\n2099-01-01T00:00:00Z,MAL-2026-3\n",
            b"2099-01-01T00:00:00Z,MAL-2026-3\n2099-01-02T00:00:00Z,MAL-2026-4\n",
            b"2099-01-01T00:00:00Z,MAL-404\n",
            b"2099-01-01T00:00:00Z,PyPI/MAL-2026-1\n" + b"2098-01-01T00:00:00Z,MAL-404\n" * 3,
        ],
        ids=["path", "no id", "no time", "no text", "old first", "unsorted", "missing", "one of two missing"],
    )
    async def test_list_that_cannot_be_followed_leads_to_the_whole(self, site: Site, body: bytes) -> None:
        await site.refresh()
        site.osv.put(a_record("MAL-2026-3"))
        site.osv.requests.clear()
        site.osv.faults["modified_id.csv"] = lambda _: web.Response(body=body)
        refreshed = await site.refresh()
        if body.startswith(b"2026"):
            # Sorted newest first, the list ends where it gets old.
            assert not refreshed.changed
            return
        assert refreshed.whole
        assert await site.ids() == ["MAL-2026-2144", "MAL-2026-3"]
        assert all(path.startswith("/PyPI/") and ".." not in path for path, _ in site.osv.requests)

    async def test_without_a_list_the_whole_is_looked_at(self, site: Site) -> None:
        site.osv.has_changes = False
        await site.refresh()
        site.osv.put(a_record("MAL-2026-3"))
        assert (await site.refresh()).whole
        assert await site.ids() == ["MAL-2026-2144", "MAL-2026-3"]

    async def test_too_many_changes_lead_to_the_whole(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        await site.refresh()
        monkeypatch.setattr(refresh_feed, "MOST_CHANGES", 2)
        for number in range(3):
            site.osv.put(a_record(f"MAL-2026-9{number}"))
        assert (await site.refresh()).whole

    @pytest.mark.parametrize("content", [b"{", b"", json.dumps(a_record("MAL-2026-666")).encode()])
    async def test_record_that_is_not_what_was_asked_for_leads_to_the_whole(self, site: Site, content: bytes) -> None:
        await site.refresh()
        site.osv.put(a_record("MAL-2026-3"))
        site.osv.faults["MAL-2026-3.json"] = lambda _: web.Response(body=content)
        assert (await site.refresh()).whole
        assert await site.ids() == ["MAL-2026-2144", "MAL-2026-3"]

    async def test_failing_record_fails_the_refresh_and_changes_nothing(self, site: Site) -> None:
        before = (await site.refresh()).snapshot
        site.osv.put(a_record("MAL-2026-3"))
        site.osv.put(a_record("MAL-2026-4"))
        site.osv.faults["MAL-2026-3.json"] = lambda _: web.Response(status=500)
        with pytest.raises(FeedError, match="500"):
            await site.refresh()
        assert (await site.store.state("osv")).snapshot == before
        assert await site.ids() == ["MAL-2026-2144"]

    async def test_list_is_bounded(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        await site.refresh()
        monkeypatch.setattr(remote, "MAX_CHANGES_LIST", 1000)
        line = b"2099-01-01T00:00:00Z,MAL-2026-3\n"
        site.osv.faults["modified_id.csv"] = lambda _: web.Response(body=line * 100_000)
        with pytest.raises(FeedError, match="larger than 1000"):
            await site.refresh()


async def test_reader_sees_the_old_snapshot_until_the_new_one_is_whole(site: Site) -> None:
    """Ask all the while that a large feed replaces a small one: it is one or the other, never a part."""
    await site.refresh()
    for number in range(6000):
        site.osv.records[f"X-{number}"] = a_record(f"X-{number}", "large", modified="2026-03-02T00:00:00Z")
    site.clock.advance(timedelta(days=2))
    work = asyncio.create_task(site.refresh())
    seen = set()
    while not work.done():
        seen.add(len(await site.ids("large") or ()))
        await asyncio.sleep(0.01)
    await work
    assert len(await site.ids("large") or ()) == 6000
    assert seen <= {0, 6000}
    assert 0 in seen


async def test_local_zip_is_read_again_only_when_it_is_another(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "mirror.zip"
    path.write_bytes(zipped({"x.json": json.dumps(a_record("MAL-2026-7")).encode()}))
    source = LocalFeed("osv", path)
    assert (await site.refresh(source)).changed
    assert not (await site.refresh(source)).changed
    path.write_bytes(zipped({"x.json": json.dumps(a_record("MAL-2026-8")).encode()}))
    assert (await site.refresh(source)).changed
    path.unlink()
    with pytest.raises(FeedError, match="no zip and no folder"):
        await site.refresh(source)
    assert await site.ids() == ["MAL-2026-8"]


class TestNotice:
    async def test_a_feed_that_changed_is_announced_with_the_projects_whose_records_did(self, site: Site) -> None:
        site.announced.files = [ServedFile("main", "litellm", "1", "litellm-1.tar.gz", "a" * 64)]
        await site.refresh()
        site.osv.put(a_record("MAL-2026-3"))
        await site.refresh()
        await site.refresh()
        assert [entry.details["records"] for entry in site.announced.entries] == [2, 3]
        assert [change.project for change in site.announced.changes.values()] == ["litellm", "litellm"]

    async def test_what_was_put_in_force_and_not_announced_is_made_up_for(self, site: Site) -> None:
        await site.refresh()
        site.announced.announced.clear()
        refreshed = await site.refresh()
        assert not refreshed.changed
        assert [entry.details["snapshot"] for entry in site.announced.entries] == [refreshed.snapshot.sha256] * 2

    async def test_a_withdrawn_record_does_not_say_any_more_what_it_was_about(self, site: Site) -> None:
        await site.refresh()
        site.osv.put({**a_record(), "withdrawn": "2026-03-24T11:00:00Z"})
        assert (await site.refresh()).projects is None
